import type { DocumentName } from '../../protocol/index.ts'
import type { Scene } from './storage-contract.ts'
import { asName, assertEqual, entriesOf, numbered, readAll } from './storage-scenes.ts'
import type { Storage } from './storage.ts'

const A = asName('a')

/** The cases behind [ST10] and [ST11]. */
export function contractOfNames(scene: Scene, sceneWithRestart: Scene): void {
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
