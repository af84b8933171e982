import { CHUNK_BYTES, type DocumentName } from '../../protocol/index.ts'
import { contractOfSnapshots } from './storage-contract-snapshots.ts'
import { asName, assertEqual, assertRejects, entriesOf, entry, readAll } from './storage-scenes.ts'
import type { Storage } from './storage.ts'

/** The part of a test runner that the contract needs: vitest, jest and node:test have it. */
export interface ContractRunner {
  describe(title: string, body: () => void): void
  test(title: string, body: () => Promise<void>): void
}

/** Makes storages for the contract. Each case makes its own, and destroys it. */
export interface StorageFactory {
  /** A new, empty storage, not open yet. */
  create(): Promise<Storage>
  /**
   * A storage, not open yet, on what a closed one has left. Without it the cases about restarts are left out: for a
   * storage that forgets.
   */
  reopen?(closed: Storage): Promise<Storage>
  /** Removes what a closed storage has left. */
  destroy?(closed: Storage): Promise<void>
}

/** Runs one scene on a storage that is open, and closes it. */
export type Scene = (
  title: string,
  body: (storage: Storage, reopened: () => Promise<Storage>) => Promise<void>,
) => void

/** The exam of a storage: the cases behind the rules [ST1] to [ST12] of `Storage`. */
export function storageContract(runner: ContractRunner, factory: StorageFactory): void {
  const scene: Scene = (title, body) => {
    runner.test(title, async () => {
      let storage = await factory.create()
      await storage.open()
      try {
        await body(storage, async () => {
          await storage.close()
          storage = (await factory.reopen?.(storage)) ?? storage
          await storage.open()
          return storage
        })
      } finally {
        await storage.close()
        await factory.destroy?.(storage)
      }
    })
  }
  const sceneWithRestart: Scene = factory.reopen === undefined ? () => undefined : scene
  runner.describe('opening and closing', () => contractOfLifetime(scene))
  runner.describe('the log', () => contractOfLog(scene, sceneWithRestart))
  runner.describe('snapshots', () => contractOfSnapshots(scene, sceneWithRestart))
  runner.describe('names', () => contractOfNames(scene, sceneWithRestart))
}

const A = asName('a')
const B = asName('b')

function contractOfLifetime(scene: Scene): void {
  scene('[ST1] open is idempotent', async (storage) => {
    await Promise.all([storage.open(), storage.open()])
    assertEqual((await storage.head(A)).seq, 0)
  })

  scene('[ST12] close is idempotent, and later calls reject', async (storage) => {
    const { epoch } = await storage.head(A)
    await Promise.all([storage.close(), storage.close()])
    await storage.close()
    await assertRejects(storage.head(A), 'storage-unavailable')
    await assertRejects(
      storage.append([{ name: A, epoch, entries: [entry(1)] }]),
      'storage-unavailable',
    )
    await assertRejects(storage.readEntries(A, epoch, 0, 1), 'storage-unavailable')
    await assertRejects(storage.readSnapshotChunk(A, epoch, 1, 0), 'storage-unavailable')
    await assertRejects(
      storage.replacePrefix(A, epoch, {
        seq: 1,
        update: new Uint8Array(2),
        index: new Uint8Array(),
      }),
      'storage-unavailable',
    )
    await assertRejects(storage.list({ limit: 1 }), 'storage-unavailable')
    await assertRejects(storage.delete(A), 'storage-unavailable')
  })

  scene('[ST12] close waits for an append under way', async (storage) => {
    const { epoch } = await storage.head(A)
    let isSettled = false
    const appending = storage
      .append([{ name: A, epoch, entries: entriesOf(1, 100) }])
      .finally(() => (isSettled = true))
    await storage.close()
    assertEqual(isSettled, true)
    assertEqual(await appending, [{ ok: true, firstSeq: 1 }])
  })
}

function contractOfLog(scene: Scene, sceneWithRestart: Scene): void {
  scene('[ST2] a name never written is empty, with an epoch that stays', async (storage) => {
    const first = await storage.head(A)
    assertEqual(first, { epoch: first.epoch, seq: 0, snapshot: null })
    assertEqual(first.epoch.length > 0 && first.epoch.length <= 64, true)
    assertEqual(await storage.head(A), first)
    assertEqual(await storage.readEntries(A, first.epoch, 0, 1000), [])
    assertEqual(await storage.list({ limit: 10 }), [])
  })

  sceneWithRestart(
    '[ST2] the epoch of a name never written survives a restart',
    async (storage, reopened) => {
      const head = await storage.head(A)
      assertEqual(await (await reopened()).head(A), head)
    },
  )

  scene('[ST3] what was appended is read back as it was given', async (storage) => {
    const { epoch } = await storage.head(A)
    const update = Uint8Array.of(1, 2, 3, 0, 255)
    const entries = [
      { update, author: 'Zoë 🦊', receivedAt: 1_700_000_000_000 },
      { update: new Uint8Array(300_000).fill(7), author: null, receivedAt: 0.5 },
      { update: new Uint8Array(), author: '', receivedAt: 0 },
    ]
    assertEqual(await storage.append([{ name: A, epoch, entries }]), [{ ok: true, firstSeq: 1 }])
    const expected = entries.map((one, position) => ({ seq: position + 1, ...one }))
    assertEqual(await readAll(storage, A, epoch), expected)
    update.fill(9)
    assertEqual((await readAll(storage, A, epoch))[0]?.update, Uint8Array.of(1, 2, 3, 0, 255))
    assertEqual(await storage.head(A), { epoch, seq: 3, snapshot: null })
  })

  sceneWithRestart(
    '[ST3] everything appended is there after a restart, and goes on',
    async (storage, reopened) => {
      const { epoch } = await storage.head(A)
      const { epoch: epochB } = await storage.head(B)
      await storage.append([
        { name: A, epoch, entries: entriesOf(1, 3) },
        { name: B, epoch: epochB, entries: entriesOf(1, 1) },
      ])
      const restarted = await reopened()
      assertEqual(await restarted.head(A), { epoch, seq: 3, snapshot: null })
      assertEqual(
        await restarted.append([
          { name: A, epoch, entries: entriesOf(4, 4) },
          { name: B, epoch: epochB, entries: entriesOf(2, 2) },
        ]),
        [
          { ok: true, firstSeq: 4 },
          { ok: true, firstSeq: 2 },
        ],
      )
      assertEqual(await readAll(restarted, A, epoch), numbered(1, 4))
      assertEqual(await readAll(restarted, B, epochB), numbered(1, 2))
    },
  )

  scene('[ST4] overlapping calls are numbered in their order, without holes', async (storage) => {
    const { epoch } = await storage.head(A)
    const { epoch: epochB } = await storage.head(B)
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, call) =>
        storage.append([
          { name: A, epoch, entries: entriesOf(call * 2 + 1, call * 2 + 2) },
          { name: B, epoch: epochB, entries: entriesOf(call + 1, call + 1) },
        ]),
      ),
    )
    for (const [call, outcome] of outcomes.entries())
      assertEqual(outcome, [
        { ok: true, firstSeq: call * 2 + 1 },
        { ok: true, firstSeq: call + 1 },
      ])
    assertEqual(await readAll(storage, A, epoch), numbered(1, 100))
    assertEqual(await readAll(storage, B, epochB), numbered(1, 50))
  })

  scene('[ST4] an append of nothing answers with the next number', async (storage) => {
    const { epoch } = await storage.head(A)
    assertEqual(await storage.append([]), [])
    const nothing = { name: A, epoch, entries: [] }
    assertEqual(await storage.append([nothing]), [{ ok: true, firstSeq: 1 }])
    assertEqual(await storage.list({ limit: 10 }), [])
  })

  scene('[ST5] another epoch is refused, the other documents are written', async (storage) => {
    const { epoch } = await storage.head(A)
    const { epoch: epochB } = await storage.head(B)
    assertEqual(
      await storage.append([
        { name: A, epoch: `${epoch}-other`, entries: entriesOf(1, 2) },
        { name: B, epoch: epochB, entries: entriesOf(1, 2) },
      ]),
      [
        { ok: false, code: 'document-reset' },
        { ok: true, firstSeq: 1 },
      ],
    )
    assertEqual((await storage.head(A)).seq, 0)
    assertEqual(await readAll(storage, B, epochB), numbered(1, 2))
  })

  scene('[ST6] a read is bounded in bytes, but for its first entry', async (storage) => {
    const { epoch } = await storage.head(A)
    const update = new Uint8Array(1000).fill(5)
    const entries = Array.from({ length: 10 }, () => ({ update, author: null, receivedAt: 1 }))
    await storage.append([{ name: A, epoch, entries }])
    const seqs = async (after: number, maxBytes: number): Promise<readonly number[]> =>
      (await storage.readEntries(A, epoch, after, maxBytes)).map(({ seq }) => seq)
    assertEqual(await seqs(0, 1), [1])
    assertEqual(await seqs(3, 3000), [4, 5, 6])
    assertEqual(await seqs(8, 1_000_000), [9, 10])
    assertEqual(await seqs(10, 1_000_000), [])
    assertEqual(await seqs(11, 1_000_000), [])
  })

  scene('[ST6] a long log is read whole', async (storage) => {
    const { epoch } = await storage.head(A)
    for (let first = 1; first <= 5000; first += 1000)
      await storage.append([{ name: A, epoch, entries: entriesOf(first, first + 999) }])
    assertEqual(await storage.readEntries(A, epoch, 0, CHUNK_BYTES), numbered(1, 5000))
  })

  scene('[ST6] another epoch has no entries', async (storage) => {
    const { epoch } = await storage.head(A)
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 2) }])
    assertEqual(await storage.readEntries(A, `${epoch}-other`, 0, 1000), [])
  })
}

function contractOfNames(scene: Scene, sceneWithRestart: Scene): void {
  const names = [
    'a',
    'ab',
    'a/b',
    '__proto__',
    'constructor',
    '../up',
    'é',
    '￮',
    '🦊',
    'x'.repeat(512),
  ]
  const sorted = names
    .map(asName)
    .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))

  scene('[ST10] T18 names are listed in the order of their bytes', async (storage) => {
    assertEqual(await storage.list({ limit: 100 }), [])
    await writeEach(storage, names.map(asName))
    assertEqual(await storage.list({ limit: 100 }), sorted)
    assertEqual(await storage.list({ limit: 2 }), sorted.slice(0, 2))
    assertEqual(await storage.list({ limit: 0 }), [])
    for (const [position, name] of sorted.entries())
      assertEqual(
        await storage.list({ after: name, limit: 2 }),
        sorted.slice(position + 1).slice(0, 2),
      )
    assertEqual(await storage.list({ prefix: 'a', limit: 9 }), ['a', 'a/b', 'ab'])
    assertEqual(await storage.list({ prefix: 'a', after: 'a', limit: 9 }), ['a/b', 'ab'])
    assertEqual(await storage.list({ prefix: 'a', after: '!', limit: 1 }), ['a'])
    assertEqual(await storage.list({ prefix: 'a', after: 'b', limit: 9 }), [])
    assertEqual(await storage.list({ prefix: '🦊', limit: 9 }), ['🦊'])
  })

  scene('[ST10] T18 documents with similar names are apart', async (storage) => {
    await writeEach(storage, names.map(asName))
    await storage.delete(A)
    for (const [position, name] of names.entries()) {
      const { epoch, seq } = await storage.head(asName(name))
      assertEqual(seq, name === 'a' ? 0 : position + 1)
      assertEqual(
        await readAll(storage, asName(name), epoch),
        name === 'a' ? [] : numbered(1, position + 1),
      )
    }
    assertEqual(
      await storage.list({ limit: 100 }),
      sorted.filter((name) => name !== A),
    )
  })

  scene('[ST11] a deleted document is gone, and its epoch with it', async (storage) => {
    const { epoch } = await storage.head(A)
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 3) }])
    const snapshot = { seq: 2, update: new Uint8Array(10), index: new Uint8Array(1) }
    assertEqual(await storage.replacePrefix(A, epoch, snapshot), true)
    const next = await storage.delete(A)
    assertEqual(next === epoch, false)
    assertEqual(await storage.head(A), { epoch: next, seq: 0, snapshot: null })
    assertEqual(await storage.readEntries(A, epoch, 0, 1000), [])
    assertEqual(await storage.readEntries(A, next, 0, 1000), [])
    assertEqual(await storage.readSnapshotChunk(A, epoch, 2, 0), null)
    assertEqual(await storage.replacePrefix(A, epoch, { ...snapshot, seq: 3 }), false)
    assertEqual(await storage.append([{ name: A, epoch, entries: entriesOf(4, 4) }]), [
      { ok: false, code: 'document-reset' },
    ])
    assertEqual(await storage.list({ limit: 10 }), [])
    assertEqual(await storage.append([{ name: A, epoch: next, entries: entriesOf(1, 1) }]), [
      { ok: true, firstSeq: 1 },
    ])
    assertEqual(await readAll(storage, A, next), numbered(1, 1))
    assertEqual(await storage.list({ limit: 10 }), [A])
  })

  scene('[ST11] a delete among appends cuts them in two', async (storage) => {
    const { epoch } = await storage.head(A)
    const append = { name: A, epoch, entries: entriesOf(1, 1) }
    const before = storage.append([append])
    const deleting = storage.delete(A)
    const after = storage.append([append])
    assertEqual(await before, [{ ok: true, firstSeq: 1 }])
    assertEqual(await after, [{ ok: false, code: 'document-reset' }])
    assertEqual(await storage.head(A), { epoch: await deleting, seq: 0, snapshot: null })
  })

  sceneWithRestart('[ST11] no epoch comes back', async (storage, reopened) => {
    const epochs = [(await storage.head(A)).epoch, await storage.delete(A), await storage.delete(A)]
    const restarted = await reopened()
    assertEqual((await restarted.head(A)).epoch, epochs[2])
    epochs.push(await restarted.delete(A))
    assertEqual(new Set(epochs).size, 4)
  })
}

async function writeEach(storage: Storage, names: readonly DocumentName[]): Promise<void> {
  for (const [position, name] of names.entries()) {
    const { epoch } = await storage.head(name)
    await storage.append([{ name, epoch, entries: entriesOf(1, position + 1) }])
  }
}

function numbered(first: number, last: number): readonly unknown[] {
  return entriesOf(first, last).map((one, position) => ({ seq: first + position, ...one }))
}
