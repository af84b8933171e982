import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory of its own for the running test, removed when the test has finished. */
export async function tempDirectory(): Promise<string> {
  const directory = await makeTempDirectory()
  onTestFinished(() => removeDirectory(directory))
  return directory
}

/** For those who remove it themselves. */
export function makeTempDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'y-rooms-'))
}

export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}
