import { CHUNK_BYTES, type Epoch } from '../../protocol/index.ts'
import type { Scene } from './storage-contract.ts'
import { asName, assertEqual, entriesOf, readAll, readSnapshot } from './storage-scenes.ts'
import type { NewSnapshot, Storage } from './storage.ts'

const A = asName('a')
const B = asName('b')

/** The cases behind [ST7], [ST8], [ST9] and [ST18]. */
export function contractOfSnapshots(scene: Scene, sceneWithRestart: Scene): void {
  scene('[ST7] a snapshot is read back in chunks, with its index', async (storage) => {
    const epoch = await written(storage, 5)
    const large = snapshotOf(4, 2 * CHUNK_BYTES + 100, CHUNK_BYTES + 1)
    assertEqual(await storage.replacePrefix(A, epoch, large), true)
    const { seq, snapshot } = await storage.head(A)
    assertEqual(seq, 5)
    assertEqual(snapshot?.seq, 4)
    assertEqual(snapshot?.bytes, large.update.length)
    assertEqual(snapshot?.index, large.index)
    assertEqual(snapshot && (await readSnapshot(storage, A, epoch, snapshot)), large.update)
    for (const chunk of [-1, 0.5, 3, 2 ** 32, Number.MAX_SAFE_INTEGER])
      assertEqual(await storage.readSnapshotChunk(A, epoch, 4, chunk), null)
  })

  scene('[ST7] a snapshot whose length is a whole number of chunks', async (storage) => {
    const epoch = await written(storage, 1)
    const exact = snapshotOf(1, 2 * CHUNK_BYTES, 0)
    await storage.replacePrefix(A, epoch, exact)
    const { snapshot } = await storage.head(A)
    assertEqual(snapshot?.index, exact.index)
    assertEqual(snapshot && (await readSnapshot(storage, A, epoch, snapshot)), exact.update)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 1, 2), null)
  })

  scene('[ST7] a snapshot or epoch that never was has no chunks', async (storage) => {
    const epoch = await written(storage, 3)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 0, 0), null)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 2, 0), null)
    await storage.replacePrefix(A, epoch, snapshotOf(2, 10))
    assertEqual(await storage.readSnapshotChunk(A, `${epoch}-other`, 2, 0), null)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 1, 0), null)
    assertEqual(await storage.readSnapshotChunk(B, epoch, 2, 0), null)
  })

  scene('[ST8] snapshot and tail are the document', async (storage) => {
    const epoch = await written(storage, 10)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(7, 10)), true)
    assertEqual(await tailSeqs(storage, epoch, 7), [8, 9, 10])
    await storage.append([{ name: A, epoch, entries: entriesOf(11, 11) }])
    assertEqual(await tailSeqs(storage, epoch, 7), [8, 9, 10, 11])
    assertEqual((await storage.head(A)).seq, 11)
  })

  scene('[ST8] entries appended meanwhile stay', async (storage) => {
    const epoch = await written(storage, 10)
    const replacing = storage.replacePrefix(A, epoch, snapshotOf(10, 5 * CHUNK_BYTES))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, position) =>
        storage.append([{ name: A, epoch, entries: entriesOf(11 + position, 11 + position) }]),
      ),
    )
    assertEqual(await replacing, true)
    assertEqual(outcomes.at(-1), [{ ok: true, firstSeq: 30 }])
    assertEqual((await tailSeqs(storage, epoch, 10)).length, 20)
    assertEqual((await storage.head(A)).snapshot?.seq, 10)
  })

  scene('[ST8] what is older, beyond the head or of another epoch is ignored', async (storage) => {
    const epoch = await written(storage, 10)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(11, 10)), false)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(0, 10)), false)
    assertEqual(await storage.replacePrefix(A, `${epoch}-other`, snapshotOf(5, 10)), false)
    assertEqual((await storage.head(A)).snapshot, null)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(5, 10)), true)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(4, 20)), false)
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(5, 20)), false)
    assertEqual((await storage.head(A)).snapshot?.bytes, 10)
    assertEqual(await tailSeqs(storage, epoch, 5), [6, 7, 8, 9, 10])
  })

  scene('[ST8] of two overlapping replacements the newer stays', async (storage) => {
    const epoch = await written(storage, 10)
    const older = storage.replacePrefix(A, epoch, snapshotOf(4, 2 * CHUNK_BYTES))
    const newer = storage.replacePrefix(A, epoch, snapshotOf(8, 10))
    await older
    assertEqual(await newer, true)
    assertEqual((await storage.head(A)).snapshot?.seq, 8)
    assertEqual(await tailSeqs(storage, epoch, 8), [9, 10])
  })

  scene('[ST8] a delete during a replacement wins', async (storage) => {
    const epoch = await written(storage, 10)
    const replacing = storage.replacePrefix(A, epoch, snapshotOf(10, 9 * CHUNK_BYTES))
    const next = await storage.delete(A)
    await replacing
    assertEqual(await storage.head(A), { epoch: next, seq: 0, snapshot: null })
    assertEqual(await storage.readSnapshotChunk(A, next, 10, 0), null)
  })

  scene('[ST9] the snapshot before, and its tail, stay until the next', async (storage) => {
    const epoch = await written(storage, 12)
    for (const seq of [4, 8]) {
      assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(seq, seq)), true)
      await settled(storage)
    }
    assertEqual(await storage.readSnapshotChunk(A, epoch, 4, 0), snapshotOf(4, 4).update)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 8, 0), snapshotOf(8, 8).update)
    assertEqual(await tailSeqs(storage, epoch, 4), [5, 6, 7, 8, 9, 10, 11, 12])
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(11, 11)), true)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 4, 0), null)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 8, 0), snapshotOf(8, 8).update)
    assertEqual(await tailSeqs(storage, epoch, 8), [9, 10, 11, 12])
  })

  scene('[ST18] what is condensed is the same document', async (storage) => {
    const epoch = await written(storage, 200)
    assertEqual(await storage.condense?.(A, epoch), storage.condense && false)
    for (const seq of [50, 198]) await storage.replacePrefix(A, epoch, snapshotOf(seq, 10))
    const head = await storage.head(A)
    await storage.condense?.(A, epoch)
    assertEqual(await storage.head(A), head)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 198, 0), snapshotOf(198, 10).update)
    assertEqual(await tailSeqs(storage, epoch, 198), [199, 200])
    await storage.append([{ name: A, epoch, entries: entriesOf(201, 201) }])
    assertEqual(await storage.replacePrefix(A, epoch, snapshotOf(201, 10)), true)
    assertEqual(await storage.readSnapshotChunk(A, epoch, 198, 0), snapshotOf(198, 10).update)
    assertEqual(await tailSeqs(storage, epoch, 198), [199, 200, 201])
  })

  scene('[ST6] replaced entries show as a first entry that comes later', async (storage) => {
    const epoch = await written(storage, 12)
    for (const seq of [4, 8]) await storage.replacePrefix(A, epoch, snapshotOf(seq, seq))
    const [first] = await storage.readEntries(A, epoch, 0, 1000)
    // A storage may keep more than it must, but never hands out a log with a hole in it.
    assertEqual(first !== undefined && first.seq >= 1 && first.seq <= 5, true)
    assertEqual((await tailSeqs(storage, epoch, 0)).at(-1), 12)
  })

  sceneWithRestart('[ST8] a snapshot is there after a restart', async (storage, reopened) => {
    const epoch = await written(storage, 12)
    for (const seq of [4, 8]) await storage.replacePrefix(A, epoch, snapshotOf(seq, seq))
    const restarted = await reopened()
    const head = await restarted.head(A)
    assertEqual([head.epoch, head.seq, head.snapshot?.seq], [epoch, 12, 8])
    assertEqual(head.snapshot?.index, snapshotOf(8, 8).index)
    assertEqual(await restarted.readSnapshotChunk(A, epoch, 4, 0), snapshotOf(4, 4).update)
    assertEqual(await tailSeqs(restarted, epoch, 8), [9, 10, 11, 12])
    assertEqual(await restarted.append([{ name: A, epoch, entries: entriesOf(13, 13) }]), [
      { ok: true, firstSeq: 13 },
    ])
  })

  sceneWithRestart(
    '[ST8] a log that a snapshot replaced to its end goes on after a restart',
    async (storage, reopened) => {
      const epoch = await written(storage, 3)
      await storage.replacePrefix(A, epoch, snapshotOf(3, 3))
      const restarted = await reopened()
      assertEqual((await restarted.head(A)).seq, 3)
      assertEqual(await restarted.append([{ name: A, epoch, entries: entriesOf(4, 4) }]), [
        { ok: true, firstSeq: 4 },
      ])
    },
  )
}

async function written(storage: Storage, count: number): Promise<Epoch> {
  const { epoch } = await storage.head(A)
  await storage.append([{ name: A, epoch, entries: entriesOf(1, count) }])
  return epoch
}

/** Bytes that tell which snapshot, and which chunk, they are of. */
function snapshotOf(seq: number, bytes: number, indexBytes = 3): NewSnapshot {
  const update = new Uint8Array(bytes).map((_, at) => (seq * 31 + at + (at >> 16)) & 0xff)
  return { seq, update, index: new Uint8Array(indexBytes).fill(seq) }
}

async function tailSeqs(storage: Storage, epoch: Epoch, after: number): Promise<readonly number[]> {
  return (await readAll(storage, A, epoch, after)).map(({ seq }) => seq)
}

/** Gives the removal of replaced rows, which may go on behind an answer, a chance to remove too much. */
async function settled(storage: Storage): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await storage.list({ limit: 1 })
}
