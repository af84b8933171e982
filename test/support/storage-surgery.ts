import { Level } from 'level'
import { join } from 'node:path'
import { LEVEL_FOLDER } from '../../src/storage/database-files.ts'

/** Rows of a closed storage's database, read and changed behind its back. */
export async function withRows<Result>(
  directory: string,
  use: (level: Level<Uint8Array, Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const level = new Level<Uint8Array, Uint8Array>(join(directory, LEVEL_FOLDER), {
    keyEncoding: 'view',
    valueEncoding: 'view',
    multithreading: true,
  })
  await level.open()
  try {
    return await use(level)
  } finally {
    await level.close()
  }
}

/** Flips one bit of a row's value, in the middle unless told where. */
export async function flipBit(directory: string, key: Uint8Array, at?: number): Promise<void> {
  await withRows(directory, async (level) => {
    const value = new Uint8Array((await level.get(key)) as Uint8Array)
    const position = at ?? value.length >> 1
    value[position] = (value[position] as number) ^ 1
    await level.put(key, value)
  })
}

export function allKeys(directory: string): Promise<readonly Uint8Array[]> {
  return withRows(directory, (level) => level.keys().all())
}
