import { hostname } from 'node:os'
import { mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { lockDirectory } from '../../src/storage/directory-lock.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { currentOwner } from '../../src/storage/lock-owner.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { startStorageChild } from '../support/storage-child.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')

describe('directory lock', () => {
  test('T19 a second open in the process is refused and harms neither the first nor the data', async () => {
    const directory = await tempDirectory()
    const first = levelStorage(directory)
    await first.open()
    await append(first, 1)
    const path = await realpath(directory)
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-locked',
      message: `The directory ${path} is already open in this process (pid ${process.pid}): only one storage at a time can use it.`,
    })
    const link = join(await tempDirectory(), 'link')
    await symlink(directory, link)
    await expect(levelStorage(link).open()).rejects.toMatchObject({ code: 'storage-locked' })
    // After these refusals LevelDB's own lock must still keep a second process out.
    const child = startStorageChild(directory, 'open')
    expect(await child.hears(() => true)).toMatchObject({ refused: 'storage-locked' })
    await append(first, 2)
    await first.close()
    await expectEntries(directory, 2)
  })

  test('T19 a second process is refused with the pid of the first, which goes on', async () => {
    const directory = await tempDirectory()
    const first = levelStorage(directory)
    await first.open()
    for (let attempt = 1; attempt <= 3; attempt++) {
      const child = startStorageChild(directory, 'open')
      expect(await child.hears(() => true)).toEqual({
        refused: 'storage-locked',
        message: `The directory ${await realpath(directory)} is already open in process ${process.pid} on ${hostname()}: only one storage at a time can use it.`,
      })
      await child.end()
      await append(first, attempt)
    }
    await first.close()
    await expectEntries(directory, 3)
  })

  test('T19 this process is refused what another one has open, until that has closed it', async () => {
    const directory = await tempDirectory()
    const child = startStorageChild(directory, 'open')
    const { open: pid } = await child.hears(() => true)
    const storage = levelStorage(directory)
    await expect(storage.open()).rejects.toMatchObject({
      code: 'storage-locked',
      message: expect.stringContaining(`process ${String(pid)} `),
    })
    expect(await child.end()).toBe(0)
    await storage.open()
    await storage.close()
  })

  test('T19 with the lock file gone LevelDB still refuses a second process, and ours stays away', async () => {
    const directory = await tempDirectory()
    const first = levelStorage(directory)
    await first.open()
    // A lock of another container: it cannot be told from here whether its process runs.
    const elsewhere = { ...currentOwner('elsewhere'), host: 'another-container' }
    await writeFile(join(directory, 'lock'), JSON.stringify(elsewhere))
    const child = startStorageChild(directory, 'open')
    expect(await child.hears(() => true)).toMatchObject({ refused: 'storage-locked' })
    await append(first, 1)
    await first.close()
    await expectEntries(directory, 1)
  })

  test('the lock of a killed process is taken over, with a warning', async () => {
    const directory = await tempDirectory()
    const child = startStorageChild(directory, 'open')
    const { open: pid } = await child.hears(() => true)
    await child.kill()
    expect(await readFile(join(directory, 'lock'), 'utf8')).toContain(`"pid":${String(pid)}`)
    const warnings: unknown[] = []
    const ignore = (): void => undefined
    const storage = levelStorage(directory, {
      logger: {
        debug: ignore,
        info: ignore,
        warn: (_, fields) => warnings.push(fields),
        error: ignore,
      },
    })
    await storage.open()
    expect(warnings).toMatchObject([{ pid }])
    await storage.close()
    expect(await readdir(directory)).toEqual(['log'])
  })

  test.runIf(process.platform === 'linux')(
    'a lock whose pid is used by another process now, or of an earlier boot, is stale',
    async () => {
      const directory = await tempDirectory()
      const here = currentOwner('earlier')
      for (const earlier of [
        { ...here, processStart: '1' },
        { ...here, bootId: 'an earlier boot' },
      ]) {
        await writeFile(join(directory, 'lock'), JSON.stringify(earlier))
        const lock = lockDirectory(directory)
        expect(lock.takenOverFrom).toEqual(earlier)
        lock.release()
        lock.release()
      }
      expect(await readdir(directory)).toEqual([])
    },
  )

  test('a lock file that was cut short does not keep the directory shut', async () => {
    const directory = await tempDirectory()
    for (const text of ['', '{"token":', 'null', '{"token":"x","pid":-1,"host":""}']) {
      await writeFile(join(directory, 'lock'), text)
      lockDirectory(directory).release()
    }
  })

  test('a lock is released only by its owner', async () => {
    const directory = await tempDirectory()
    const lock = lockDirectory(directory)
    await writeFile(join(directory, 'lock'), JSON.stringify(currentOwner('another')))
    lock.release()
    expect(await readdir(directory)).toEqual(['lock'])
  })

  test('a worker thread of the owner, which has a registry of its own, is refused by the file', async () => {
    const directory = await tempDirectory()
    const first = levelStorage(directory)
    await first.open()
    // The child of this test has been built by the tests above, or is by this one.
    await startStorageChild(directory, 'open').hears(() => true)
    const module = new URL('../../dist/src/storage/level-storage.js', import.meta.url).href
    const worker = new Worker(
      `import(${JSON.stringify(module)}).then(({ levelStorage }) =>
        levelStorage(${JSON.stringify(directory)}).open().catch((error) =>
          require('node:worker_threads').parentPort.postMessage(error.message)))`,
      { eval: true },
    )
    const message = await new Promise((resolve) => worker.once('message', resolve))
    expect(message).toContain(`this process (pid ${process.pid})`)
    await worker.terminate()
    await append(first, 1)
    await first.close()
  })

  test('[ST1] what is in the way is told in one sentence, and nothing is left behind', async () => {
    const directory = await tempDirectory()
    const file = join(directory, 'file')
    await writeFile(file, 'not a directory')
    await expect(levelStorage(file).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
      message: expect.stringContaining(file),
    })
    await expect(levelStorage(join(file, 'below')).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
    })
    const occupied = join(directory, 'occupied')
    await mkdir(occupied)
    await writeFile(join(occupied, 'log'), 'a file where LevelDB goes')
    const storage = levelStorage(occupied)
    await expect(storage.open()).rejects.toMatchObject({ code: 'storage-inaccessible' })
    expect(await readdir(occupied)).toEqual(['log'])
    expect(await readdir(directory)).toEqual(['file', 'occupied'])
    await storage.close()
    await expect(storage.open()).rejects.toMatchObject({ code: 'storage-unavailable' })
  })
})

async function append(storage: Storage, seq: number): Promise<void> {
  const { epoch } = await storage.head(A)
  expect(await storage.append([{ name: A, epoch, entries: entriesOf(seq, seq) }])).toEqual([
    { ok: true, firstSeq: seq },
  ])
}

async function expectEntries(directory: string, count: number): Promise<void> {
  const storage = levelStorage(directory)
  await storage.open()
  const { epoch } = await storage.head(A)
  expect((await readAll(storage, A, epoch)).length).toBe(count)
  await storage.close()
}
