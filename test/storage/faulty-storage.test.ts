import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { faultyStorage, fullDisk, type StorageCall, type StorageFault } from '../../src/testing.ts'

const A = asName('a')
const B = asName('b')
const UNAVAILABLE = { code: 'storage-unavailable' }

describe('a faulty storage', () => {
  test('refuses a call before anything is done, or after everything is', async () => {
    for (const [kind, seq] of [
      ['refused', 0],
      ['unconfirmed', 2],
    ] as const) {
      const { storage, append } = await faulty({ kind })
      await expect(append()).rejects.toMatchObject(UNAVAILABLE)
      expect((await storage.head(A)).seq).toBe(seq)
      expect(await append()).toMatchObject([{ firstSeq: seq + 1 }, { firstSeq: seq + 1 }])
    }
  })

  test('tears an append between two documents', async () => {
    const { storage } = await faulty({ kind: 'torn' }, async ({ append }) => {
      await expect(append()).rejects.toMatchObject(UNAVAILABLE)
    })
    expect([(await storage.head(A)).seq, (await storage.head(B)).seq]).toEqual([2, 0])
  })

  test('damages some documents of an append and writes the others', async () => {
    const { storage, append } = await faulty({ kind: 'damaged', names: [A] })
    expect(await append()).toEqual([
      { ok: false, code: 'record-damaged' },
      { ok: true, firstSeq: 1 },
    ])
    const { epoch } = await storage.head(B)
    expect(await readAll(storage, B, epoch)).toHaveLength(2)
  })

  test('holds a call back as long as the plan wants, and close waits for it', async () => {
    let letGo = (_fault: StorageFault | null): void => undefined
    const held = new Promise<StorageFault | null>((resolve) => (letGo = resolve))
    const calls: StorageCall[] = []
    const storage = faultyStorage(memoryStorage(), (call) => {
      calls.push(call)
      return call.method === 'append' ? held : null
    })
    await storage.open()
    const { epoch } = await storage.head(A)
    const appending = storage.append([{ name: A, epoch, entries: entriesOf(1, 1) }])
    const closing = storage.close()
    letGo(null)
    expect(await appending).toEqual([{ ok: true, firstSeq: 1 }])
    await closing
    await expect(storage.head(A)).rejects.toMatchObject(UNAVAILABLE)
    expect(calls.map(({ method, before, names }) => [method, before, names])).toEqual([
      ['open', 0, []],
      ['head', 0, [A]],
      ['append', 0, [A]],
      ['close', 0, []],
    ])
  })

  test('is a full disk until it is healed', async () => {
    const disk = fullDisk()
    const storage = faultyStorage(memoryStorage(), disk.plan)
    await storage.open()
    const { epoch } = await storage.head(A)
    const append = () => storage.append([{ name: A, epoch, entries: entriesOf(1, 1) }])
    disk.fill()
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(append()).rejects.toMatchObject(UNAVAILABLE)
    await expect(storage.delete(A)).rejects.toMatchObject(UNAVAILABLE)
    expect((await storage.head(A)).seq).toBe(0)
    disk.heal()
    expect(await append()).toEqual([{ ok: true, firstSeq: 1 }])
  })
})

interface Scene {
  readonly storage: Storage
  /** Two entries for each of two documents. */
  append(): Promise<unknown>
}

/** A storage whose first append meets the fault. */
async function faulty(
  fault: StorageFault,
  use: (scene: Scene) => Promise<void> = async () => undefined,
): Promise<Scene> {
  const storage = faultyStorage(memoryStorage(), ({ method, before }) =>
    method === 'append' && before === 0 ? fault : null,
  )
  await storage.open()
  const { epoch } = await storage.head(A)
  const append = (): Promise<unknown> =>
    storage.append([A, B].map((name) => ({ name, epoch, entries: entriesOf(1, 2) })))
  await use({ storage, append })
  return { storage, append }
}
