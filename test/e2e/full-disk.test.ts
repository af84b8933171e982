import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { readDocument } from '../support/raw-client.ts'
import { tempDirectory } from '../support/temp-directory.ts'

/** A disk of 24 MB in memory, which only the process sees that it was made for, and which goes with it. */
const ON_SMALL_DISK = [
  '-Urm',
  'sh',
  '-c',
  'mount -t tmpfs -o size=24m none "$1" && exec "$0" "$2" "$1"',
]
const SERVER = fileURLToPath(new URL('../fixtures/full-disk-server.mjs', import.meta.url))

const missing = whatIsMissing()

test.skipIf(missing !== null)(
  `T8 [LOG6] a disk that is really full${missing ?? ''}: nothing is called saved, nothing is lost, and all goes on when there is room`,
  async () => {
    const disk = await startOnSmallDisk()
    const ada = provide(disk.url)
    const bob = provide(disk.url)
    await Promise.all([ada.whenSynced, bob.whenSynced])
    ada.doc.getText('body').insert(0, 'before ')
    await ada.whenSaved()
    await expect.poll(() => bob.doc.getText('body').toJSON()).toBe('before ')
    for (let round = 0; round < 3; round++) {
      const seenBefore = bob.doc.getText('body').toJSON()
      await disk.say('fill')
      // What no block that is still free could take.
      ada.doc.getText('body').insert(0, 'x'.repeat(100_000))
      await expect.poll(async () => Number(await disk.say('failures'))).toBeGreaterThan(round)
      expect(bob.doc.getText('body').toJSON()).toBe(seenBefore)
      expect(ada.saveState).not.toBe('saved')
      await disk.say('heal')
      await ada.whenSaved()
      await expect.poll(() => bob.doc.getText('body').length).toBe(ada.doc.getText('body').length)
      expectEqualDocuments(bob.doc, ada.doc)
    }
    const port = await disk.say('reopen')
    expectEqualDocuments(await readDocument(`http://127.0.0.1:${port}`, 'draft'), ada.doc)
  },
)

interface SmallDisk {
  readonly url: string
  say(command: 'fill' | 'heal' | 'failures' | 'reopen'): Promise<string>
}

async function startOnSmallDisk(): Promise<SmallDisk> {
  const directory = await tempDirectory()
  const child: ChildProcess = spawn(
    'unshare',
    [...ON_SMALL_DISK, process.execPath, directory, SERVER],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const ended = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const hear = async (): Promise<string> => {
    const { value, done } = (await lines.next()) as IteratorResult<string, undefined>
    if (done === true || value === undefined) throw new Error('the server has ended')
    return value
  }
  const port = await hear()
  return {
    url: `http://127.0.0.1:${port}`,
    say: (command) => {
      child.stdin!.write(`${command}\n`)
      return hear()
    },
  }
}

function provide(url: string): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', new Y.Doc(), {
    socketIo: {},
    maxBackoffTime: 500,
  })
  provider.whenSynced.catch(() => undefined)
  onTestFinished(() => provider.destroy())
  return provider
}

/** Null: a disk can be made here. Else for the title of the test, so that whoever sees it skipped sees why. */
function whatIsMissing(): string | null {
  const { status, stderr, error } = spawnSync(
    'unshare',
    ['-Urm', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'],
    { encoding: 'utf8' },
  )
  if (status === 0) return null
  return ` (not here: no file system may be mounted, ${(error?.message ?? stderr).trim()})`
}
