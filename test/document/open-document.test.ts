import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { DocumentName } from '../../protocol/index.ts'
import { OpenDocument, type Accepted, type PendingEntry } from '../../src/document/open-document.ts'
import { RelayTurn } from '../../src/document/relay-turn.ts'
import { DocumentError } from '../../src/errors.ts'
import type { Listener } from '../../src/document/room.ts'
import type { UpdateMessage } from '../../src/document/update-message.ts'
import { CommitLoop } from '../../src/log/commit-loop.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { encodePresence } from '../support/awareness-message.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { DEFAULT_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { updateOf } from '../support/raw-client.ts'

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const nobody = { origin: null, userId: null }

class Ear implements Listener {
  readonly heard: UpdateMessage[] = []
  handleUpdate(message: UpdateMessage): void {
    this.heard.push(message)
  }
  handleSkipped(): void {}
  handlePresence(): void {}
  handleEnd(): void {}
}

/** A document over a storage whose appends wait until the test lets them through, or fails them. */
async function scene(maxPendingBytes = Infinity) {
  const clock = new ManualClock()
  const memory = memoryStorage()
  await memory.open()
  const held: { write(): void; fail(afterWriting: boolean): void }[] = []
  const storage: Storage = {
    ...bound(memory),
    append: (batch) =>
      new Promise((resolve, reject) => {
        held.push({
          write: () => void memory.append(batch).then(resolve, reject),
          // A write may fail and have reached the disk all the same.
          fail: (afterWriting) =>
            void (afterWriting ? memory.append(batch) : Promise.resolve()).then(() =>
              reject(new Error('I/O error')),
            ),
        })
      }),
  }
  const commits = new CommitLoop<PendingEntry>(
    storage,
    clock,
    {
      handleBatchCommitted: () => undefined,
      handleBatchFailed: () => undefined,
      handlePartyFailed: () => undefined,
    },
    { maxPendingBytes, intervalMs: 0 },
  )
  const document = await OpenDocument.load(
    { handle: 1, name: 'scene' as DocumentName },
    {
      storage,
      commits,
      clock,
      logger: silentLogger,
      relayTurn: new RelayTurn(clock),
      relayIntervalMs: 16,
      recentBytes: 1000,
      presenceIntervalMs: 50,
      presenceRefreshMs: 12_000,
      maxPresenceBytes: 1000,
      maxPresenceBytesPerDocument: 10_000,
      maxDocumentBytes: 1e9,
      scanLimits: DEFAULT_SCAN_LIMITS,
      onGrown: () => undefined,
    },
  )
  const ear = new Ear()
  document.room.add(ear)
  const endTurn = async (): Promise<void> => {
    clock.endTurn()
    await macrotask()
  }
  return { clock, memory, held, document, ear, endTurn }
}

function bound(storage: Storage): Storage {
  return {
    open: () => storage.open(),
    head: (name) => storage.head(name),
    append: (batch) => storage.append(batch),
    readEntries: (...args) => storage.readEntries(...args),
    readSnapshotChunk: (...args) => storage.readSnapshotChunk(...args),
    replacePrefix: (...args) => storage.replacePrefix(...args),
    list: (request) => storage.list(request),
    delete: (name) => storage.delete(name),
    close: () => storage.close(),
  }
}

/** What became of a promise so far. */
function fate(promise: Promise<unknown>): { now: unknown } {
  const state: { now: unknown } = { now: 'pending' }
  promise.then(
    (value) => (state.now = (value as Accepted).seq),
    (error: { code?: string }) => (state.now = error.code),
  )
  return state
}

describe('an open document', () => {
  test('[ACK1] [RELAY1] acknowledges and relays nothing before the write ends, and acknowledges first', async () => {
    const { clock, held, document, ear, endTurn } = await scene()
    const doc = new Y.Doc()
    const first = fate(
      document.accept(
        updateOf(doc, () => doc.getText('t').insert(0, 'a')),
        nobody,
      ),
    )
    // The second builds on the first, which is not durable yet.
    const second = fate(
      document.accept(
        updateOf(doc, () => doc.getText('t').insert(1, 'b')),
        nobody,
      ),
    )
    await endTurn()
    clock.advance(1000)
    expect([first.now, second.now, document.head, ear.heard.length]).toEqual([
      'pending',
      'pending',
      0,
      0,
    ])
    held[0]!.write()
    await macrotask()
    expect([first.now, second.now, document.head, ear.heard.length]).toEqual([1, 2, 2, 0])
    await endTurn()
    expect(ear.heard.map(({ from, to }) => [from, to])).toEqual([[1, 2]])
  })

  test('[ACK1] [LOG11] who hands in the next update while told of the one before is judged by a document that has it', async () => {
    const { held, document, endTurn } = await scene()
    const doc = new Y.Doc()
    const [one, two] = ['a', 'b'].map((letter, at) =>
      updateOf(doc, () => doc.getText('t').insert(at, letter)),
    )
    const told: unknown[] = []
    const receipt = (name: string, then?: () => void) => ({
      handleAccepted: (seq: number, isEntry: boolean) => {
        told.push([name, seq, isEntry])
        then?.()
      },
      handleRefused: (error: unknown) => told.push([name, error]),
    })
    document.submit(
      one!,
      nobody,
      receipt('one', () => {
        document.submit(two!, nobody, receipt('two'))
        document.submit(one!, nobody, receipt('one again'))
      }),
    )
    await endTurn()
    held[0]!.write()
    await macrotask()
    await endTurn()
    held[1]!.write()
    await macrotask()
    expect(told).toEqual([
      ['one', 1, true],
      ['two', 2, true],
      ['one again', 2, false],
    ])
    expect(document.head).toBe(2)
  })

  test('[ACK1] an author that throws when told keeps no other from being told', async () => {
    const { held, document, endTurn } = await scene()
    const doc = new Y.Doc()
    const [one, two] = ['a', 'b'].map((letter, at) =>
      updateOf(doc, () => doc.getText('t').insert(at, letter)),
    )
    document.submit(one!, nobody, {
      handleAccepted: () => {
        throw new Error('a broken listener')
      },
      handleRefused: () => undefined,
    })
    const other = fate(document.accept(two!, nobody))
    await endTurn()
    held[0]!.write()
    await macrotask()
    expect([other.now, document.head]).toEqual([2, 2])
  })

  test('[ACK2] an update covered by one on its way waits for that one, and shares its fate', async () => {
    for (const isWritten of [true, false]) {
      const { held, document, endTurn } = await scene()
      const doc = new Y.Doc()
      const update = updateOf(doc, () => doc.getText('t').insert(0, 'a'))
      const original = fate(document.accept(update, nobody))
      const repeated = fate(document.accept(update, nobody))
      await endTurn()
      expect([original.now, repeated.now, held.length]).toEqual(['pending', 'pending', 1])
      if (isWritten) held[0]!.write()
      else held[0]!.fail(false)
      await macrotask()
      const expected = isWritten ? [1, 1] : ['storage-unavailable', 'storage-unavailable']
      expect([original.now, repeated.now]).toEqual(expected)
    }
  })

  test('[LOG9] a disk that does not keep up ends in a refusal to retry, not in memory without bound', async () => {
    const { held, document, endTurn } = await scene(2000)
    const doc = new Y.Doc()
    const paste = updateOf(doc, () => doc.getText('t').insert(0, 'x'.repeat(3000)))
    const more = updateOf(doc, () => doc.getText('t').insert(0, 'y'))
    const first = fate(document.accept(paste, nobody))
    await endTurn()
    const refused = fate(document.accept(more, nobody))
    await macrotask()
    expect([first.now, refused.now]).toEqual(['pending', 'storage-unavailable'])
    held[0]!.write()
    await macrotask()
    const again = fate(document.accept(more, nobody))
    await endTurn()
    held[1]!.write()
    await macrotask()
    expect([first.now, again.now]).toEqual([1, 2])
  })

  test('T8 [LOG6] after a failed write nothing was relayed, and a retry succeeds, whether or not the disk has it', async () => {
    for (const hasReachedDisk of [true, false]) {
      const { clock, memory, held, document, ear, endTurn } = await scene()
      const doc = new Y.Doc()
      const [one, two] = ['a', 'b'].map((text) =>
        updateOf(doc, () => doc.getText('t').insert(0, text)),
      )
      const lost = fate(document.accept(one!, nobody))
      await endTurn()
      const behind = fate(document.accept(two!, nobody))
      held[0]!.fail(hasReachedDisk)
      await macrotask()
      expect([lost.now, behind.now]).toEqual(['storage-unavailable', 'storage-unavailable'])
      clock.advance(1000)
      expect(ear.heard).toEqual([])

      const again = [document.accept(one!, nobody), document.accept(two!, nobody)].map(fate)
      await macrotask()
      await endTurn()
      held[1]!.write()
      await macrotask()
      expect(again.map(({ now }) => now)).toEqual([1, 2])
      await endTurn()
      clock.advance(1000)
      const copy = new Y.Doc()
      for (const { update } of ear.heard) Y.applyUpdate(copy, update)
      expect(copy.getText('t').toString()).toBe('ba')
      const stored = await memory.readEntries(document.name, document.epoch, 0, 1e6)
      expect(stored.map(({ seq }) => seq)).toEqual([1, 2])
    }
  })

  test.each(['close', 'end'] as const)(
    'T2 %s leaves no timer, whatever waits for one',
    async (way) => {
      const { clock, held, document, endTurn } = await scene()
      const doc = new Y.Doc()
      for (let seq = 1; seq <= 2; seq++) {
        const accepted = document.accept(
          updateOf(doc, () => doc.getText('t').insert(0, 'x')),
          nobody,
        )
        await endTurn()
        held.at(-1)!.write()
        await macrotask()
        await endTurn()
        await accepted
      }
      // The second entry waits for the next relay.
      expect(clock.pendingTimers).toBe(1)
      const owner = { user: null, hasClientId: () => true }
      document.presence.handleUpdate(
        owner,
        encodePresence({ clientId: 1, clock: 1, state: { at: 1 } }),
      )
      const withPresence = clock.pendingTimers
      expect(withPresence).toBeGreaterThan(1)
      document.markStale()
      expect(clock.pendingTimers).toBe(withPresence + 1)
      if (way === 'close') document.close()
      else document.end(new DocumentError('document-deleted', 'gone'))
      expect(clock.pendingTimers).toBe(0)
      document.markStale()
      expect(clock.pendingTimers).toBe(0)
    },
  )
})
