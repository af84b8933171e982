import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { DocumentName } from '../../protocol/index.ts'
import { Compaction } from '../../src/document/compaction.ts'
import { DocumentRegistry } from '../../src/document/document-registry.ts'
import { OpenDocument, type PendingEntry } from '../../src/document/open-document.ts'
import { RelayTurn } from '../../src/document/relay-turn.ts'
import { NUMBER_OPTIONS } from '../../src/number-options.ts'
import { CommitLoop } from '../../src/log/commit-loop.ts'
import { fold } from '../../src/log/fold.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { gatedStorage } from '../support/gated-storage.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { DEFAULT_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { updateOf } from '../support/raw-client.ts'

const NAME = 'scene' as DocumentName
const IDLE_MS = 1000
const nobody = { origin: null, userId: null }
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Real documents over a storage whose calls wait for the test. */
async function scene() {
  const clock = new ManualClock()
  const storage = gatedStorage(memoryStorage())
  await storage.open()
  const observer = {
    handleBatchCommitted: () => undefined,
    handleBatchFailed: () => undefined,
    handlePartyFailed: () => undefined,
  }
  const commits = new CommitLoop<PendingEntry>(storage, clock, observer, {
    maxPendingBytes: Infinity,
    intervalMs: 0,
  })
  const compaction = new Compaction({
    storage,
    // The same work, without a thread.
    worker: { fold: (parts: Parameters<typeof fold>[0]) => Promise.resolve(fold(parts)) } as never,
    logger: silentLogger,
    afterBytes: Infinity,
    afterEntries: Infinity,
    handleFailed: () => undefined,
  })
  let loads = 0
  const registry = new DocumentRegistry({
    clock,
    idleUnloadMs: IDLE_MS,
    load: (name, handle) => {
      loads++
      return OpenDocument.load(
        { handle, name },
        {
          storage,
          commits,
          clock,
          logger: silentLogger,
          relayTurn: new RelayTurn(clock),
          relayIntervalMs: NUMBER_OPTIONS.relayIntervalMs.default,
          recentBytes: NUMBER_OPTIONS.recentBytes.default,
          presenceIntervalMs: NUMBER_OPTIONS.presenceIntervalMs.default,
          presenceRefreshMs: NUMBER_OPTIONS.presenceRefreshMs.default,
          maxPresenceBytes: NUMBER_OPTIONS.maxPresenceBytes.default,
          maxPresenceBytesPerDocument: NUMBER_OPTIONS.maxPresenceBytesPerDocument.default,
          maxDocumentBytes: 1e9,
          scanLimits: DEFAULT_SCAN_LIMITS,
          onGrown: () => undefined,
        },
      )
    },
    deleteStored: (name) => storage.delete(name),
    compaction: () => compaction,
    handleDamaged: () => undefined,
  })
  const doc = new Y.Doc()
  const type = (text: string): Uint8Array =>
    updateOf(doc, () => doc.getText('body').insert(doc.getText('body').length, text))
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) {
      clock.endTurn()
      await macrotask()
    }
  }
  const write = async (document: OpenDocument, texts: readonly string[]): Promise<void> => {
    const accepted = Promise.all(texts.map((text) => document.accept(type(text), nobody)))
    await settle()
    await accepted
  }
  return { clock, storage, registry, type, write, settle, loads: () => loads }
}

const keystrokes = (count: number): string[] => Array.from({ length: count }, () => 'x')

describe('the registry of open documents', () => {
  test('T1 T2 [JOIN1] whoever comes during the load shares it, and so does who leaves before it has ended', async () => {
    const { clock, storage, registry, loads } = await scene()
    const held = storage.hold('head')
    const comers = [registry.acquire(NAME), registry.acquire(NAME)]
    const leaver = registry.acquire(NAME).then((lease) => lease.release())
    await held
    storage.release('head')
    const leases = await Promise.all(comers)
    await leaver
    expect([loads(), leases[0]!.document === leases[1]!.document]).toEqual([1, true])
    // Released twice by the same holder counts once: the other one still has it.
    leases[0]!.release()
    leases[0]!.release()
    clock.advance(10 * IDLE_MS)
    expect(registry.size).toBe(1)
    leases[1]!.release()
    clock.advance(10 * IDLE_MS)
    expect([registry.size, clock.pendingTimers]).toEqual([0, 0])
  })

  test('[UNLOAD1] a document that nobody has written goes with its last member; one that was written stays for a while', async () => {
    const { clock, registry, write } = await scene()
    for (let name = 0; name < 100; name++)
      (await registry.acquire(`unwritten ${name}` as DocumentName)).release()
    clock.advance(0)
    expect([registry.size, clock.pendingTimers]).toEqual([0, 0])
    const lease = await registry.acquire(NAME)
    await write(lease.document, ['x'])
    lease.release()
    clock.advance(IDLE_MS - 1)
    expect(registry.size).toBe(1)
  })

  test('T2 when all leave during the load, nothing stays in memory', async () => {
    const { clock, storage, registry } = await scene()
    const held = storage.hold('head')
    const leaving = [1, 2, 3].map(() => registry.acquire(NAME).then((lease) => lease.release()))
    await held
    storage.release('head')
    await Promise.all(leaving)
    clock.advance(IDLE_MS)
    expect([registry.size, clock.pendingTimers]).toEqual([0, 0])
  })

  test('T2 [UNLOAD1] who comes back while the document is folded for its unload gets the same instance', async () => {
    const { clock, storage, registry, write, settle, loads } = await scene()
    const first = await registry.acquire(NAME)
    await write(first.document, keystrokes(100))
    const folding = storage.hold('replacePrefix')
    first.release()
    clock.advance(IDLE_MS)
    await folding
    const second = await registry.acquire(NAME)
    expect([second.document === first.document, loads()]).toEqual([true, 1])
    storage.release('replacePrefix')
    await settle()
    expect(registry.size).toBe(1)
    await write(second.document, ['late'])
    second.release()
    clock.advance(IDLE_MS)
    await settle()
    expect(registry.size).toBe(0)
    const third = await registry.acquire(NAME)
    expect([third.document === first.document, third.document.head, loads()]).toEqual([
      false,
      101,
      2,
    ])
  })

  test('[ST18] [UNLOAD1] a document whose log was folded is condensed with its unload, and another one is not', async () => {
    const { clock, storage, registry, write, settle } = await scene()
    const condensed: string[] = []
    storage.condense = (name) => {
      condensed.push(name)
      return Promise.reject(new Error('what fails here fails nothing else'))
    }
    for (const count of [3, 100]) {
      const lease = await registry.acquire(NAME)
      await write(lease.document, keystrokes(count))
      lease.release()
      clock.advance(IDLE_MS)
      await settle()
      expect(registry.size).toBe(0)
      expect(condensed).toEqual(count === 3 ? [] : [NAME])
    }
  })

  test('T2 [UNLOAD1] an update on its way to the disk keeps its document open', async () => {
    const { clock, storage, registry, type, settle } = await scene()
    const lease = await registry.acquire(NAME)
    const writing = storage.hold('append')
    const accepted = lease.document.accept(type('on its way'), nobody)
    clock.endTurn()
    await writing
    lease.release()
    clock.advance(5 * IDLE_MS)
    expect(registry.size).toBe(1)
    // Whoever comes now must meet the instance that knows of the update, not an older state from the disk.
    const next = await registry.acquire(NAME)
    expect(next.document).toBe(lease.document)
    storage.release('append')
    await settle()
    expect(await accepted).toEqual({ seq: 1, isEntry: true })
    next.release()
    clock.advance(IDLE_MS)
    await settle()
    expect([registry.size, clock.pendingTimers]).toEqual([0, 0])
  })

  test('T2 [UNLOAD1] an update accepted while the document is folded for its unload keeps it open', async () => {
    const { clock, storage, registry, type, write, settle } = await scene()
    const lease = await registry.acquire(NAME)
    await write(lease.document, keystrokes(100))
    const folding = storage.hold('replacePrefix')
    lease.release()
    clock.advance(IDLE_MS)
    await folding
    const writing = storage.hold('append')
    const visitor = await registry.acquire(NAME)
    const accepted = visitor.document.accept(type('!'), nobody)
    visitor.release()
    clock.endTurn()
    await writing
    storage.release('replacePrefix')
    await settle()
    clock.advance(5 * IDLE_MS)
    expect(registry.size).toBe(1)
    storage.release('append')
    await settle()
    expect(await accepted).toEqual({ seq: 101, isEntry: true })
    clock.advance(IDLE_MS)
    await settle()
    expect(registry.size).toBe(0)
  })

  test('[JOIN2] a failed load is nobody’s instance: the next one tries again', async () => {
    const { storage, registry, loads } = await scene()
    const head = storage.head
    Object.assign(storage, { head: () => Promise.reject(new Error('I/O error')) })
    const refused = [registry.acquire(NAME), registry.acquire(NAME)]
    for (const acquiring of refused)
      await expect(acquiring).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect([registry.size, loads()]).toEqual([0, 1])
    Object.assign(storage, { head })
    expect((await registry.acquire(NAME)).document.head).toBe(0)
  })
})

describe('a registry that is closed', () => {
  test('[CLOSE3] whoever was on the way to the log is refused, opening or open, and nothing is written', async () => {
    const { registry, storage, type, settle } = await scene()
    const lease = await registry.acquire(NAME)
    const reading = storage.hold('head')
    const opening = registry.acquire('another' as DocumentName)
    await reading
    registry.close()
    const refused = { code: 'server-closing', retry: 'backoff' }
    await expect(lease.document.accept(type('late'), nobody)).rejects.toMatchObject(refused)
    await expect(registry.acquire(NAME)).rejects.toMatchObject(refused)
    storage.release('head')
    const { document } = await opening
    await expect(document.accept(type('later'), nobody)).rejects.toMatchObject(refused)
    await settle()
    expect(storage.calls.append).toBe(0)
  })
})
