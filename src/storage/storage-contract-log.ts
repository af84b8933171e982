import { CHUNK_BYTES } from '../../protocol/index.ts'
import type { Scene } from './storage-contract.ts'
import { asName, assertEqual, entriesOf, numbered, readAll } from './storage-scenes.ts'

const A = asName('a')
const B = asName('b')

/** The cases behind [ST2] to [ST6]. */
export function contractOfLog(scene: Scene, sceneWithRestart: Scene): void {
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

  scene('[ST3] an append of nothing succeeds and changes nothing', async (storage) => {
    const { epoch } = await storage.head(A)
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 2) }])
    assertEqual(await storage.append([]), [])
    assertEqual(await readAll(storage, A, epoch), numbered(1, 2))
    assertEqual(await storage.list({ limit: 9 }), [A])
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
