import { createHash, randomUUID, webcrypto } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { DocumentName } from '../../protocol/index.ts'
import { DocumentError, StorageError } from '../errors.ts'
import { imageTypeOf, type ImageType } from './image-type.ts'

export interface Attachment {
  readonly type: ImageType
  /** Where the file is that has its id as its name. */
  readonly directory: string
}

interface AttachmentStoreOptions {
  /** Made when the first file is put into it. One server at a time. */
  readonly directory: string
  readonly maxBytesPerDocument: number
  /** Returns when the entries of a directory are on the disk; for tests. */
  readonly syncDirectory?: (directory: string) => Promise<void>
}

/** SHA-256 of the content, in hexadecimal. */
const ID = /^[0-9a-f]{64}$/
const PARTIAL = '.partial'
/** The longest beginning by which an image is known. */
const BEGINNING_BYTES = 12

/**
 * Images that documents refer to, beside them: as files, each named by what is in it, in a directory for each document. The same
 * image twice is one file. They stay until their document is deleted: what refers to them only the application knows.
 */
export class AttachmentStore {
  readonly #options: AttachmentStoreOptions
  readonly #syncDirectory: (directory: string) => Promise<void>
  /** The directory and those above it are on the disk, which may have been made by us or just before. */
  #isRooted = false
  /** One after the other: so it is exact how much a document has, and a file without its end was left by a dead process. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: AttachmentStoreOptions) {
    this.#options = { ...options, directory: resolve(options.directory) }
    this.#syncDirectory = options.syncDirectory ?? syncDirectory
  }

  /**
   * Resolves to the name of the file, when it is on the disk whole. Rejects with `document-too-large` when the document has no room
   * for it, and with `storage-unavailable`.
   */
  async put(document: DocumentName, bytes: Uint8Array): Promise<string> {
    // Beside the event loop: an image of a gigabyte takes seconds.
    const id = Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
    await this.#inTurn(() => this.#write(document, id, bytes))
    return id
  }

  /** Null if there is no such file. */
  async find(document: DocumentName, id: string): Promise<Attachment | null> {
    if (!ID.test(id)) return null
    const directory = this.#directoryOf(document)
    const beginning = await whileStored(() => readBeginning(join(directory, id)))
    const type = beginning === null ? null : imageTypeOf(beginning)
    return type === null ? null : { type, directory }
  }

  /** With their document. */
  deleteAll(document: DocumentName): Promise<void> {
    return this.#inTurn(async () => {
      await whileStored(() => rm(this.#directoryOf(document), { recursive: true, force: true }))
    })
  }

  async #write(document: DocumentName, id: string, bytes: Uint8Array): Promise<void> {
    const directory = this.#directoryOf(document)
    const names = (await whileStored(() => readdir(directory))) ?? []
    // Written once, and perhaps not acknowledged, because a directory could not be synced then.
    if (names.includes(id)) return this.#makeDurable(directory)
    let total = bytes.length
    for (const name of names)
      if (name.endsWith(PARTIAL)) await rm(join(directory, name), { force: true })
      else total += (await whileStored(() => stat(join(directory, name))))?.size ?? 0
    const { maxBytesPerDocument } = this.#options
    if (total > maxBytesPerDocument)
      throw new DocumentError(
        'document-too-large',
        `the images of a document may have ${maxBytesPerDocument} bytes together`,
        { limit: 'maxAttachmentBytesPerDocument' },
      )
    try {
      await writeWhole(directory, id, bytes)
    } catch (cause) {
      throw unavailable(cause)
    }
    await this.#makeDurable(directory)
  }

  /**
   * What is in this directory is found after a power cut. All of its ancestors are synced once: whoever made them, an earlier
   * attempt that failed later among them, need not have done so.
   */
  async #makeDurable(directory: string): Promise<void> {
    const { directory: root } = this.#options
    try {
      await this.#syncDirectory(directory)
      await this.#syncDirectory(root)
      for (let above = dirname(root); !this.#isRooted; above = dirname(above)) {
        await this.#syncDirectory(above).catch(ignoreForeign)
        this.#isRooted = above === dirname(above)
      }
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  #directoryOf(document: DocumentName): string {
    // Names of documents may be what no file system takes, or takes for another directory.
    return join(this.#options.directory, createHash('sha256').update(document).digest('hex'))
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** Under its name there is all of it or nothing. */
async function writeWhole(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(directory, { recursive: true })
  const partial = join(directory, `${randomUUID()}${PARTIAL}`)
  try {
    const file = await open(partial, 'wx')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, join(directory, name))
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined)
    throw error
  }
}

async function readBeginning(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(BEGINNING_BYTES)
    const { bytesRead } = await file.read(bytes, 0, BEGINNING_BYTES, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** The entry of a new file is on the disk. Windows has no such call, and keeps it with the file. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A directory that we may not open, or whose file system has no such call for directories, is none that we have made. */
function ignoreForeign(error: unknown): void {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EINVAL' && code !== 'ENOTSUP') throw error
}

async function whileStored<Result>(read: () => Promise<Result>): Promise<Result | null> {
  try {
    return await read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): StorageError {
  return new StorageError('storage-unavailable', 'an image could not be read or written', { cause })
}
