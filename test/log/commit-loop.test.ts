import { describe, expect, test } from 'vitest'
import { CommitLoop, type CommitFailure, type CommitParty } from '../../src/log/commit-loop.ts'
import type { Append, AppendOutcome, NewEntry, Storage } from '../../src/storage/storage.ts'
import type { DocumentName } from '../../protocol/index.ts'
import { ManualClock } from '../support/manual-clock.ts'

class Party implements CommitParty<NewEntry> {
  readonly epoch = 'epoch'
  neededAt = -Infinity
  readonly name: DocumentName
  readonly committed: [count: number, firstSeq: number][] = []
  readonly failed: [count: number, cause: CommitFailure][] = []

  constructor(name: string) {
    this.name = name as DocumentName
  }
  handleCommitted(entries: readonly NewEntry[], firstSeq: number): void {
    this.committed.push([entries.length, firstSeq])
  }
  handleCommitFailed(entries: readonly NewEntry[], cause: CommitFailure): void {
    this.failed.push([entries.length, cause])
  }
}

const AT_ONCE = { maxPendingBytes: Infinity, intervalMs: 0 }

/** A storage whose writes end when the test says so. */
function scene(options = AT_ONCE) {
  const clock = new ManualClock()
  const writes: {
    batch: readonly Append[]
    end: (outcome: readonly AppendOutcome[] | Error) => void
  }[] = []
  const storage = {
    append: (batch: readonly Append[]) =>
      new Promise<readonly AppendOutcome[]>((resolve, reject) => {
        writes.push({
          batch,
          end: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
        })
      }),
  } as Partial<Storage> as Storage
  const observed: string[] = []
  const loop = new CommitLoop<NewEntry>(
    storage,
    clock,
    {
      handleBatchCommitted: (entries) => observed.push(`committed ${entries}`),
      handleBatchFailed: () => observed.push('failed'),
      handlePartyFailed: (name) => observed.push(`${name} failed`),
    },
    options,
  )
  return { clock, writes, storage, loop, observed }
}

const entry: NewEntry = { update: new Uint8Array([0, 0]), author: null, receivedAt: 0 }
const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the commit loop', () => {
  test('[LOG1] everything that waits, of all documents, goes to disk as one batch; nobody is told before', async () => {
    const { clock, writes, loop, observed } = scene()
    const [a, b] = [new Party('a'), new Party('b')]
    loop.enqueue(a, entry)
    loop.enqueue(b, entry)
    loop.enqueue(a, entry)
    expect(writes).toHaveLength(0)
    clock.endTurn()
    expect(
      writes.map(({ batch }) => batch.map(({ name, entries }) => [name, entries.length])),
    ).toEqual([
      [
        ['a', 2],
        ['b', 1],
      ],
    ])
    // What arrives during the write waits for the next one.
    loop.enqueue(b, entry)
    loop.enqueue(b, entry)
    await microtasks()
    expect([writes.length, a.committed, b.committed]).toEqual([1, [], []])
    writes[0]!.end([
      { ok: true, firstSeq: 7 },
      { ok: true, firstSeq: 1 },
    ])
    await microtasks()
    expect([a.committed, b.committed]).toEqual([[[2, 7]], [[1, 1]]])
    expect(writes[1]!.batch.map(({ name, entries }) => [name, entries.length])).toEqual([['b', 2]])
    const idle = loop.whenIdle()
    writes[1]!.end([{ ok: true, firstSeq: 2 }])
    await idle
    expect(b.committed).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(observed).toEqual(['committed 3', 'committed 2'])
  })

  test('[LOG14] a quiet log is written to at once; batches of a busy one begin at most once per interval, unless they are large', async () => {
    const { clock, writes, loop } = scene({ maxPendingBytes: Infinity, intervalMs: 10 })
    const party = new Party('a')
    const written = async (): Promise<number> => {
      await microtasks()
      return writes.length
    }
    loop.enqueue(party, entry)
    clock.endTurn()
    expect(await written()).toBe(1)
    // It took 3 ms; the interval runs from the beginning.
    clock.advance(3)
    writes[0]!.end([{ ok: true, firstSeq: 1 }])
    await microtasks()
    loop.enqueue(party, entry)
    clock.endTurn()
    clock.advance(6)
    loop.enqueue(party, entry)
    expect(await written()).toBe(1)
    clock.advance(1)
    expect(await written()).toBe(2)
    expect(writes[1]!.batch[0]!.entries).toHaveLength(2)
    // Longer than the interval: what came meanwhile waits no more.
    loop.enqueue(party, entry)
    clock.advance(10)
    writes[1]!.end([{ ok: true, firstSeq: 2 }])
    expect(await written()).toBe(3)
    // A large batch waits for nothing.
    writes[2]!.end([{ ok: true, firstSeq: 4 }])
    await microtasks()
    loop.enqueue(party, entry)
    clock.endTurn()
    expect(await written()).toBe(3)
    loop.enqueue(party, { ...entry, update: new Uint8Array(300_000) })
    expect(await written()).toBe(4)
    writes[3]!.end([{ ok: true, firstSeq: 5 }])
    await loop.whenIdle()
    // The time of day is set back by an hour: nobody waits for an hour.
    clock.setBack(3_600_000)
    loop.enqueue(party, entry)
    clock.endTurn()
    clock.advance(10)
    expect(await written()).toBe(5)
    expect(clock.pendingTimers).toBe(0)
  })

  test('[LOG14] the more comes in a millisecond, the longer the interval, up to twice its length', async () => {
    const { clock, writes, loop } = scene({ maxPendingBytes: Infinity, intervalMs: 10 })
    const party = new Party('a')
    let seq = 1
    /** So many entries come at once; answers how long the write of the one after them waits. */
    const waitAfter = async (count: number): Promise<number> => {
      clock.advance(100)
      loop.enqueue(party, entry)
      clock.endTurn()
      for (let index = 0; index < count; index++) loop.enqueue(party, entry)
      const before = writes.length
      for (const size of [1, count]) {
        await microtasks()
        clock.advance(10)
        await microtasks()
        writes.at(-1)!.end([{ ok: true, firstSeq: seq }])
        seq += size
      }
      expect(writes.length).toBe(before + 1)
      await loop.whenIdle()
      loop.enqueue(party, entry)
      clock.endTurn()
      let waited = 10
      for (; writes.length === before + 1; waited++) {
        clock.advance(1)
        await microtasks()
      }
      writes.at(-1)!.end([{ ok: true, firstSeq: seq++ }])
      await loop.whenIdle()
      return waited
    }
    expect([await waitAfter(5), await waitAfter(15), await waitAfter(500)]).toEqual([10, 15, 20])
  })

  test('[LOG14] a write that nobody needs yet ends when it is needed, and takes with it what comes until then', async () => {
    const { clock, writes, loop } = scene({ maxPendingBytes: Infinity, intervalMs: 4 })
    const [crowd, quiet] = [new Party('crowd'), new Party('quiet')]
    const written = async (): Promise<number> => {
      await microtasks()
      return writes.length
    }
    const end = async (seq: number): Promise<void> => {
      writes.at(-1)!.end(writes.at(-1)!.batch.map(() => ({ ok: true, firstSeq: seq })))
      await microtasks()
    }
    // Writes take 8 ms; an eighth of the last one is what the next is expected to take.
    loop.enqueue(crowd, entry)
    clock.endTurn()
    clock.advance(8)
    await end(1)
    crowd.neededAt = clock.now() + 20
    loop.enqueue(crowd, entry)
    clock.endTurn()
    clock.advance(18)
    loop.enqueue(crowd, entry)
    expect(await written()).toBe(1)
    clock.advance(1)
    expect(await written()).toBe(2)
    expect(writes[1]!.batch[0]!.entries).toHaveLength(2)
    await end(2)
    // Somebody else needs his at once: the other's go with it.
    crowd.neededAt = clock.now() + 30
    loop.enqueue(crowd, entry)
    clock.endTurn()
    clock.advance(10)
    expect(await written()).toBe(2)
    loop.enqueue(quiet, entry)
    expect(await written()).toBe(3)
    expect(writes[2]!.batch).toHaveLength(2)
    await end(4)
    // The time of day is set back by an hour: nobody waits for an hour.
    crowd.neededAt = clock.now()
    clock.setBack(3_600_000)
    loop.enqueue(crowd, entry)
    clock.endTurn()
    clock.advance(60)
    expect(await written()).toBe(4)
    await end(6)
    await loop.whenIdle()
    expect(clock.pendingTimers).toBe(0)
  })

  test('T8 [LOG6] a failed write fails its entries and those that waited behind them, and nothing else', async () => {
    const { clock, writes, loop, observed } = scene()
    const [a, b] = [new Party('a'), new Party('b')]
    loop.enqueue(a, entry)
    clock.endTurn()
    loop.enqueue(a, entry)
    loop.enqueue(b, entry)
    const error = new Error('disk full')
    writes[0]!.end(error)
    await microtasks()
    expect(a.committed).toEqual([])
    expect(a.failed).toEqual([[2, { kind: 'storage', error }]])
    // The other document's entry goes with the next batch.
    expect(writes[1]!.batch.map(({ name }) => name)).toEqual(['b'])
    writes[1]!.end([{ ok: false, code: 'document-reset' }])
    await loop.whenIdle()
    expect(b.failed).toEqual([[1, { kind: 'document-reset' }]])
    expect(observed).toEqual(['failed', 'committed 1'])
  })

  test('[LOG8] a document or an observer that throws stops neither the others nor the loop', async () => {
    const { clock, writes, storage } = scene()
    const faults: unknown[] = []
    const fault = new Error('a defect')
    const loop = new CommitLoop<NewEntry>(
      storage,
      clock,
      {
        handleBatchCommitted: () => {
          throw fault
        },
        handleBatchFailed: () => {
          throw fault
        },
        handlePartyFailed: (name, error) => faults.push([name, error]),
      },
      AT_ONCE,
    )
    const [broken, sound] = [new Party('broken'), new Party('sound')]
    broken.handleCommitted = broken.handleCommitFailed = () => {
      throw fault
    }
    loop.enqueue(broken, entry)
    loop.enqueue(sound, entry)
    clock.endTurn()
    writes[0]!.end([
      { ok: true, firstSeq: 1 },
      { ok: true, firstSeq: 1 },
    ])
    await loop.whenIdle()
    expect(sound.committed).toEqual([[1, 1]])

    loop.enqueue(broken, entry)
    loop.enqueue(sound, entry)
    clock.endTurn()
    const error = new Error('disk full')
    writes[1]!.end(error)
    await loop.whenIdle()
    expect(sound.failed).toEqual([[1, { kind: 'storage', error }]])
    expect(faults).toEqual([
      ['broken', fault],
      ['broken', fault],
    ])

    // A storage that answers for too few has failed for the rest.
    loop.enqueue(broken, entry)
    loop.enqueue(sound, entry)
    clock.endTurn()
    writes[2]!.end([{ ok: true, firstSeq: 2 }])
    await loop.whenIdle()
    expect(sound.failed[1]).toMatchObject([1, { kind: 'storage' }])
    expect([loop.isIdle, loop.pendingBytes]).toEqual([true, 0])
  })

  test('[LOG9] entries that have not met their fate are counted, whether they wait or are being written', async () => {
    const { clock, writes, storage } = scene()
    const ignore = (): void => undefined
    const observer = {
      handleBatchCommitted: ignore,
      handleBatchFailed: ignore,
      handlePartyFailed: ignore,
    }
    const loop = new CommitLoop<NewEntry>(storage, clock, observer, {
      maxPendingBytes: 2000,
      intervalMs: 0,
    })
    const party = new Party('a')
    const large: NewEntry = { ...entry, update: new Uint8Array(1000) }
    loop.enqueue(party, large)
    clock.endTurn()
    expect(loop.isFull).toBe(false)
    loop.enqueue(party, large)
    expect(loop.isFull).toBe(true)
    expect(loop.pendingBytes).toBeGreaterThanOrEqual(2000)
    writes[0]!.end([{ ok: true, firstSeq: 1 }])
    await microtasks()
    expect(loop.isFull).toBe(false)
    loop.enqueue(party, large)
    writes[1]!.end(new Error('disk full'))
    await loop.whenIdle()
    expect(party.failed.map(([count]) => count)).toEqual([2])
    expect(loop.pendingBytes).toBe(0)
  })
})
