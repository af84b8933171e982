// What LevelDB by itself takes, in the product's version: synced batches of rows like log entries, one after the other.
import { Level } from 'level'
import { rm } from 'node:fs/promises'

/** An entry of the log has about this much beside the update: the name in its key, checksum, time, author. */
const KEY_BYTES = 24
const HEAD_BYTES = 24

/** Rows a second, on the disk of that directory. */
export async function measureBareLevel(directory, { rows, updateBytes, seconds }) {
  const path = `${directory}.bare`
  const level = new Level(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  const startedAt = performance.now()
  let count = 0
  while (performance.now() - startedAt < seconds * 1000) {
    const batch = Array.from({ length: rows }, () => {
      const key = Buffer.alloc(KEY_BYTES)
      key.writeDoubleBE(count++, KEY_BYTES - 8)
      return { type: 'put', key, value: Buffer.alloc(HEAD_BYTES + updateBytes, count) }
    })
    await level.batch(batch, { sync: true })
  }
  const elapsedMs = performance.now() - startedAt
  await level.close()
  await rm(path, { recursive: true })
  return count / (elapsedMs / 1000)
}
