import { describe, expect, test } from 'vitest'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { asName, readAll, readSnapshot } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type Said, startStorageChild } from '../support/storage-child.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const ROUNDS = Number(process.env['STORAGE_CRASH_ROUNDS'] ?? 5)

describe('a killed process', () => {
  test(
    `T5 [ST8] [ST11] SIGKILL among appends, replacements and deletions leaves documents whole (${ROUNDS} rounds)`,
    { timeout: 10_000 + ROUNDS * 5_000 },
    async () => {
      const directory = await tempDirectory()
      for (let round = 0; round < ROUNDS; round++) {
        const child = startStorageChild(directory, 'write')
        // Another number of messages each round lands in another step.
        const quota = 40 + ((round * 137) % 400)
        await child.hears(() => child.said.length > quota)
        await child.kill()
        expect(child.said.filter((said) => 'wrong' in said)).toEqual([])
        const storage = levelStorage(directory)
        await storage.open()
        for (const name of ['steady', 'deleted']) await expectWhole(storage, name, child.said)
        await storage.close()
      }
    },
  )
})

/** What was acknowledged is there, and what is there is one document. */
async function expectWhole(storage: Storage, text: string, said: readonly Said[]): Promise<void> {
  const name = asName(text)
  const head = await storage.head(name)
  const last = said.findLast((one) => one['name'] === text && 'seq' in one)
  const acknowledged = Number(last?.['seq'] ?? 0)
  // A deletion under way may have taken effect without having been acknowledged.
  if (head.epoch === last?.['epoch']) expect(head.seq).toBeGreaterThanOrEqual(acknowledged)
  else if (last !== undefined) expect(text).toBe('deleted')

  const { snapshot } = head
  const snapshots = said.filter((one) => one['epoch'] === head.epoch && one['name'] === text)
  const acknowledgedSnapshot = Number(snapshots.findLast((one) => 'snapshot' in one)?.['snapshot'] ?? 0)
  expect(snapshot?.seq ?? 0).toBeGreaterThanOrEqual(acknowledgedSnapshot)
  if (snapshot !== null) {
    const update = await readSnapshot(storage, name, head.epoch, snapshot)
    expect(update?.every((byte) => byte === (snapshot.seq & 0xff))).toBe(true)
    expect(snapshot.index.length).toBe(300_000)
    expect(snapshot.index.every((byte) => byte === (snapshot.seq & 0xff))).toBe(true)
  }
  const tail = await readAll(storage, name, head.epoch, snapshot?.seq ?? 0)
  expect(tail.map(({ seq }) => seq)).toEqual(
    Array.from({ length: head.seq - (snapshot?.seq ?? 0) }, (_, at) => (snapshot?.seq ?? 0) + 1 + at),
  )
  for (const { seq, update } of tail)
    expect(new TextDecoder().decode(update).trim()).toBe(`${head.epoch} ${seq}`)
}
