import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const BLOCK_BYTES = 512

/** What a directory takes on the disk, as `du` counts it: files that are not filled count for what is. */
export async function diskUsage(directory) {
  let bytes = 0
  for (const name of await readdir(directory, { recursive: true })) {
    const status = await lstat(join(directory, name)).catch(() => null)
    if (status?.isFile()) bytes += status.blocks * BLOCK_BYTES
  }
  return bytes
}

/** What this process has made the kernel write to disks, where that tells (Linux): whole pages, and again when they change again. */
export function bytesWritten() {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1])
  } catch {
    return undefined
  }
}

/** What it takes to put a few bytes on the disk of that directory, in milliseconds: the median of so many times. */
export function measureSync(directory, times = 200) {
  const path = `${directory}.sync`
  const file = openSync(path, 'a')
  const bytes = new Uint8Array(100)
  const durations = Array.from({ length: times }, () => {
    const startedAt = performance.now()
    writeSync(file, bytes)
    fdatasyncSync(file)
    return performance.now() - startedAt
  })
  closeSync(file)
  rmSync(path)
  return durations.sort((a, b) => a - b)[Math.floor(times / 2)]
}
