import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FIXTURE = join(ROOT, 'test/fixtures/storage-child.mjs')

export type Said = Readonly<Record<string, unknown>>

/** A second process with a storage, and everything it has said. */
export interface StorageChild {
  readonly said: readonly Said[]
  /** The first thing that was, or will be, said for which `matches` holds. Rejects when the child ends first. */
  hears(matches: (said: Said) => boolean): Promise<Said>
  /** SIGKILL; resolves when it has ended and all it said is there. */
  kill(): Promise<void>
  /** Lets it close its storage; resolves with its exit code. */
  end(): Promise<number | null>
}

export function startStorageChild(directory: string, task: 'open' | 'write'): StorageChild {
  buildIfOlder()
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    process.execPath,
    [FIXTURE, directory, task],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'close')
  const said: Said[] = []
  const listeners = new Set<() => void>()
  createInterface(child.stdout).on('line', (line) => {
    said.push(JSON.parse(line) as Said)
    for (const listener of listeners) listener()
  })
  return {
    said,
    hears: (matches) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = said.find(matches)
          if (found === undefined) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then(() => reject(new Error('the child has ended')))
      }),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async end() {
      child.stdin.end()
      await ended
      return child.exitCode
    },
  }
}

/** Node 20 runs no TypeScript: children run what is built. */
function buildIfOlder(): void {
  const built = join(ROOT, 'dist/src/storage')
  const sources = join(ROOT, 'src/storage')
  const isCurrent = readdirSync(sources)
    .filter((file) => file.endsWith('.ts'))
    .every((file) => {
      const output = join(built, file.replace(/\.ts$/, '.js'))
      return existsSync(output) && statSync(output).mtimeMs >= statSync(join(sources, file)).mtimeMs
    })
  if (isCurrent) return
  try {
    execFileSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'protocol', 'src'],
      {
        cwd: ROOT,
        stdio: 'ignore',
      },
    )
  } catch {
    // A type error elsewhere does not keep the JavaScript from being written.
  }
}
