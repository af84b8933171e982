import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockEntries } from '../../src/storage/level-block.ts'
import { userKey } from '../../src/storage/level-manifest.ts'
import { blockAt, readIndex } from '../../src/storage/level-table-file.ts'

/** One data block of a LevelDB table that is whole. */
interface MappedBlock {
  readonly start: number
  /** Behind its checksum. */
  readonly end: number
  readonly keys: readonly Buffer[]
}

/** What lies where in a table. */
export type TableMap = readonly MappedBlock[]

export async function mapTables(folder: string): Promise<ReadonlyMap<string, TableMap>> {
  const maps = new Map<string, TableMap>()
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ldb'))) {
    const content = await readFile(join(folder, file))
    const blocks = (readIndex(content) ?? []).map(({ handle }) => ({
      start: handle.offset,
      end: handle.offset + handle.size + 5,
      keys: [...blockEntries(blockAt(content, handle) as Buffer)].map(({ key }) => userKey(key)),
    }))
    maps.set(file, blocks)
  }
  return maps
}

/** Between these keys rows are lost when the bytes from `start` to `end` are; null: none. */
export interface Gap {
  readonly after: Buffer | null
  readonly before: Buffer | null
}

/** `isCut`: nothing behind `start` is there. Whoever has no index any more finds nothing behind the first damaged block. */
export function gapOf(map: TableMap, start: number, end: number, isCut: boolean): Gap | null {
  const dataEnd = map.at(-1)?.end ?? 0
  const first = map.findIndex((block) => block.end > start)
  if (first < 0) return null
  const reachesIndex = isCut || end > dataEnd
  const last = reachesIndex ? map.length - 1 : map.findLastIndex((block) => block.start < end)
  return {
    after: map[first - 1]?.keys.at(-1) ?? null,
    before: map[last + 1]?.keys[0] ?? null,
  }
}

/** Whether rows of this document may have been in the gap. A table says nothing about keys outside its own. */
export function concerns({ after, before }: Gap, map: TableMap, name: string): boolean {
  const smallest = map[0]?.keys[0] as Buffer
  const largest = map.at(-1)?.keys.at(-1) as Buffer
  return [1, 2, 3, 4].some((kind) => {
    const prefix = Buffer.concat([Buffer.of(kind), Buffer.from(name)])
    const first = Buffer.concat([prefix, Buffer.of(0)])
    const behind = Buffer.concat([prefix, Buffer.of(1)])
    const isAbove = after === null ? behind.compare(smallest) > 0 : behind.compare(after) > 0
    const isBelow = before === null ? first.compare(largest) <= 0 : first.compare(before) < 0
    return isAbove && isBelow
  })
}

/** Whether the gap is the table, and the table everything from the first row of the database to the last. */
export function isAll({ after, before }: Gap, map: TableMap): boolean {
  const [smallest, largest] = [map[0]?.keys[0], map.at(-1)?.keys.at(-1)]
  return after === null && before === null && smallest?.[0] === 0 && largest?.[0] === 0xff
}
