import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { asName } from '../../src/storage/storage-scenes.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')

/** Deletes the document at that time, and tells the epoch that begins. */
async function epochOfDeletion(directory: string, atMs: number): Promise<string> {
  vi.spyOn(Date, 'now').mockReturnValue(atMs)
  const storage = levelStorage(directory)
  try {
    await storage.open()
    await storage.delete(A)
    return (await storage.head(A)).epoch
  } finally {
    await storage.close()
    vi.restoreAllMocks()
  }
}

test('T14 [ST11] deleted, restored from a backup and deleted again: each time another history', async () => {
  const root = await tempDirectory()
  const [live, backup] = [join(root, 'live'), join(root, 'backup')]
  const first = await epochOfDeletion(live, 1_700_000_000_000)
  await cp(live, backup, { recursive: true })
  const lost = await epochOfDeletion(live, 1_700_000_100_000)
  const again = await epochOfDeletion(backup, 1_700_000_200_000)
  expect(new Set([first, lost, again]).size).toBe(3)
})

test('[ST11] a clock that stands still or is set back makes no two histories one', async () => {
  const directory = await tempDirectory()
  const epochs = []
  for (const atMs of [1_700_000_100_000, 1_700_000_100_000, 1_700_000_000_000])
    epochs.push(await epochOfDeletion(directory, atMs))
  expect(new Set(epochs).size).toBe(3)
})
