import { expect, test } from 'vitest'
import * as Y from 'yjs'
import type { DocumentName } from '../../protocol/index.ts'
import type { ConnectionServices } from '../../src/connection/connection-services.ts'
import { Connection } from '../../src/connection/connection.ts'
import { Outbox } from '../../src/connection/outbox.ts'
import { DocumentReader } from '../../src/document/document-reader.ts'
import type { DocumentRegistry } from '../../src/document/document-registry.ts'
import { OpenDocument, type PendingEntry } from '../../src/document/open-document.ts'
import { RelayTurn } from '../../src/document/relay-turn.ts'
import { SnapshotCache } from '../../src/document/snapshot-cache.ts'
import { DocumentError } from '../../src/errors.ts'
import { BulkPacer } from '../../src/connection/bulk-pacer.ts'
import { ParkedUploads } from '../../src/connection/parked-uploads.ts'
import { CommitLoop } from '../../src/log/commit-loop.ts'
import { GuardedHooks } from '../../src/access/hooks.ts'
import { NUMBER_OPTIONS } from '../../src/number-options.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { DEFAULT_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { updateOf } from '../support/raw-client.ts'

const ignore = (): void => undefined
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A connection in a server that has one document, and what is sent to it. */
async function scene() {
  const clock = new ManualClock()
  const storage = memoryStorage()
  await storage.open()
  const observer = {
    handleBatchCommitted: ignore,
    handleBatchFailed: ignore,
    handlePartyFailed: ignore,
  }
  const document = await OpenDocument.load(
    { handle: 1, name: 'scene' as DocumentName },
    {
      storage,
      commits: new CommitLoop<PendingEntry>(storage, clock, observer, {
        maxPendingBytes: Infinity,
        intervalMs: 0,
      }),
      clock,
      logger: silentLogger,
      relayTurn: new RelayTurn(clock),
      relayIntervalMs: 0,
      recentBytes: 1_000_000,
      presenceIntervalMs: 0,
      presenceRefreshMs: 12_000,
      maxPresenceBytes: NUMBER_OPTIONS.maxPresenceBytes.default,
      maxPresenceBytesPerDocument: NUMBER_OPTIONS.maxPresenceBytesPerDocument.default,
      maxDocumentBytes: 1e9,
      scanLimits: DEFAULT_SCAN_LIMITS,
      onGrown: ignore,
    },
  )
  const services: ConnectionServices = {
    registry: {
      tryAcquire: () => null,
      acquire: () => Promise.resolve({ document, release: ignore }),
    } as Partial<DocumentRegistry> as DocumentRegistry,
    reader: new DocumentReader(storage, new SnapshotCache(storage, 0), {} as never),
    pacer: new BulkPacer(clock),
    hooks: new GuardedHooks({}, clock, silentLogger, 1000),
    clock,
    checks: { handleChecked: ignore, handleHealed: ignore },
    parkedUploads: new ParkedUploads(clock, 0, 0),
    authorize: () => 'write',
    logger: silentLogger,
    expiryWarningMs: 1000,
    joinTimeoutMs: 60_000,
    maxUpdateBytes: 1000,
    maxPresenceBytes: 1000,
    maxDocumentsPerConnection: 10,
    tokensPerMinute: 60,
    updatesPerSecond: 1000,
    bytesPerSecond: 1e6,
    presencePerSecond: 1000,
    handleLimitHit: ignore,
  }
  const sent: string[] = []
  const outbox = new Outbox({
    clock,
    softBytes: 1e6,
    hardBytes: 1e6,
    stallMs: 1e6,
    onStalled: ignore,
  })
  const send = (event: string): void => void sent.push(event)
  const identity = { user: null, reauthenticate: () => Promise.resolve(null) }
  const connection = new Connection({ outbox, send, disconnect: ignore }, identity, services)
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) {
      clock.endTurn()
      await macrotask()
    }
  }
  const join = async (clientId: number): Promise<void> => {
    const key = 'a key of sixteen characters and more'
    const joined = connection.handleJoin({
      document: 'scene',
      clientId,
      key,
      stateVector: new Uint8Array([0]),
    })
    await settle()
    await joined
  }
  const update = async (bytes: Uint8Array): Promise<void> => {
    const updated = connection.handleUpdate(document.handle, bytes)
    await settle()
    await updated
  }
  return { connection, sent, join, update }
}

test('[RELAY2] [JOIN8] what a Y.Doc sends before it hears that its session was closed reaches another one that joined behind the same socket', async () => {
  const { connection, sent, join, update } = await scene()
  const first = new Y.Doc()
  await join(first.clientID)
  connection.endAll(new DocumentError('reader-too-slow', 'join again to catch up'))
  // The second does not know that the first was there, nor does its session.
  await join(first.clientID + 1)
  await update(updateOf(first, () => first.getText('body').insert(0, 'on its way')))
  expect(sent).toEqual(['closed', 'update'])
})

test('[RELAY2] the only Y.Doc behind a socket does not hear its own edits', async () => {
  const { sent, join, update } = await scene()
  const doc = new Y.Doc()
  await join(doc.clientID)
  await update(updateOf(doc, () => doc.getText('body').insert(0, 'mine')))
  expect(sent).toEqual([])
})
