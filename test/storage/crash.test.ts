import { describe, expect, test } from 'vitest'
import type { DocumentName } from '../../protocol/index.ts'
import { seqOfEntryKey } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { decodeRow } from '../../src/storage/log-rows.ts'
import { asName, readAll, readSnapshot } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type Said, startStorageChild } from '../support/storage-child.ts'
import { allKeys, withRows } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'

// The documents of the child.
const STEADY = asName('steady')
const DELETED = asName('deleted')
const CONDENSED = asName('condensed')
const NAMES = [STEADY, DELETED, CONDENSED]
const ROUNDS = Number(process.env['STORAGE_CRASH_ROUNDS'] ?? 5)

describe('a killed process', () => {
  test(
    `T5 [ST8] [ST11] SIGKILL among appends, replacements and deletions leaves documents whole (${ROUNDS} rounds)`,
    { timeout: 240_000 + ROUNDS * 5_000 },
    async () => {
      const directory = await tempDirectory()
      let condensed = 0
      for (let round = 0; round < ROUNDS; round++) {
        const child = startStorageChild(directory, 'write')
        // Another number of messages each round lands in another step.
        const quota = 40 + ((round * 137) % 400)
        await child.hears(() => child.said.length > quota)
        await child.kill()
        expect(child.said.filter((said) => 'wrong' in said)).toEqual([])
        condensed += child.said.filter((said) => 'condensed' in said).length
        const storage = levelStorage(directory)
        await storage.open()
        for (const name of NAMES) await expectWhole(storage, name, child.said)
        await storage.close()
      }
      expect(condensed).toBeGreaterThan(0)
      await expectSwept(directory)
    },
  )
})

/** Once a start had the time for it, nothing is left of what was cut short. */
async function expectSwept(directory: string): Promise<void> {
  const storage = levelStorage(directory)
  await storage.open()
  const heads = await Promise.all(
    NAMES.map(async (name) => {
      const { epoch, snapshot } = await storage.head(name)
      // It is refused, but only when its turn has come: behind the sweep.
      const nothing = { seq: 0, update: new Uint8Array(), index: new Uint8Array() }
      expect(await storage.replacePrefix(name, epoch, nothing)).toBe(false)
      return { name, epoch, snapshot, kept: await readAll(storage, name, epoch) }
    }),
  )
  await storage.close()
  const keys = (await allKeys(directory)).map((key) => Buffer.from(key))
  const logs = await withRows(directory, (level) => level.iterator().all())
  for (const { name, kept } of heads) {
    const generations = new Set<number>()
    const rows = [2, 3, 4].map((kind) => {
      const prefix = Buffer.concat([Buffer.of(kind), Buffer.from(name), Buffer.of(0)])
      const found = keys.filter((key) => key.subarray(0, prefix.length).equals(prefix))
      for (const key of found) generations.add(key.readUInt32BE(prefix.length))
      return found.length
    })
    expect(generations.size).toBeLessThanOrEqual(1)
    const prefix = Buffer.concat([Buffer.of(2), Buffer.from(name), Buffer.of(0)])
    const entries = logs
      .filter(([key]) => Buffer.from(key).subarray(0, prefix.length).equals(prefix))
      .map(([key, value]) => decodeRow(key, value, name, seqOfEntryKey(key)))
    // A row may begin with entries that were replaced, if it does not end with one.
    const first = kept[0]?.seq ?? Infinity
    expect(entries.every((row) => (row.at(-1)?.seq ?? 0) >= first)).toBe(true)
    expect(entries.flat().filter(({ seq }) => seq >= first)).toEqual(kept)
    expect(rows[1]).toBeLessThanOrEqual(2)
    // Three chunks of update and two of index for each snapshot.
    expect(rows[2]).toBe((rows[1] ?? 0) * 5)
  }
  expect(keys.filter((key) => key[0] === 5)).toEqual([])
}

/** What was acknowledged is there, and what is there is one document. */
async function expectWhole(
  storage: Storage,
  name: DocumentName,
  said: readonly Said[],
): Promise<void> {
  const head = await storage.head(name)
  const last = said.findLast((one) => one['name'] === name && 'seq' in one)
  const acknowledged = Number(last?.['seq'] ?? 0)
  // A deletion under way may have taken effect without having been acknowledged.
  if (head.epoch === last?.['epoch']) expect(head.seq).toBeGreaterThanOrEqual(acknowledged)
  else if (last !== undefined) expect(name).toBe(DELETED)

  const { snapshot } = head
  const snapshots = said.filter((one) => one['epoch'] === head.epoch && one['name'] === name)
  const acknowledgedSnapshot = Number(
    snapshots.findLast((one) => 'snapshot' in one)?.['snapshot'] ?? 0,
  )
  expect(snapshot?.seq ?? 0).toBeGreaterThanOrEqual(acknowledgedSnapshot)
  if (snapshot !== null) {
    const update = await readSnapshot(storage, name, head.epoch, snapshot)
    expect(update?.every((byte) => byte === (snapshot.seq & 0xff))).toBe(true)
    expect(snapshot.index.length).toBe(300_000)
    expect(snapshot.index.every((byte) => byte === (snapshot.seq & 0xff))).toBe(true)
  }
  const tail = await readAll(storage, name, head.epoch, snapshot?.seq ?? 0)
  expect(tail.map(({ seq }) => seq)).toEqual(
    Array.from(
      { length: head.seq - (snapshot?.seq ?? 0) },
      (_, at) => (snapshot?.seq ?? 0) + 1 + at,
    ),
  )
  for (const { seq, update } of tail)
    expect(new TextDecoder().decode(update).trim()).toBe(`${head.epoch} ${seq}`)
}
