import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentName } from '../../protocol/index.ts'
import { DocumentError, StorageError } from '../errors.ts'
import { imageTypeOf, type ImageType } from './image-type.ts'

export interface Attachment {
  readonly type: ImageType
  readonly bytes: Uint8Array
}

interface AttachmentStoreOptions {
  /** Made when the first file is put into it. One server at a time. */
  readonly directory: string
  readonly maxBytesPerDocument: number
}

/** SHA-256 of the content, in hexadecimal. */
const ID = /^[0-9a-f]{64}$/
const PARTIAL = '.partial'

/**
 * Images that documents refer to, beside them: as files, each named by what is in it, in a directory for each document. The same
 * image twice is one file. They stay until their document is deleted: what refers to them only the application knows.
 */
export class AttachmentStore {
  readonly #options: AttachmentStoreOptions
  /** One after the other: so it is exact how much a document has, and a file without its end was left by a dead process. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: AttachmentStoreOptions) {
    this.#options = options
  }

  /**
   * Resolves to the name of the file, when it is on the disk whole. Rejects with `document-too-large` when the document has no room
   * for it, and with `storage-unavailable`.
   */
  put(document: DocumentName, bytes: Uint8Array): Promise<string> {
    const id = createHash('sha256').update(bytes).digest('hex')
    return this.#inTurn(async () => {
      await this.#write(document, id, bytes)
      return id
    })
  }

  /** Null if there is no such file. */
  async get(document: DocumentName, id: string): Promise<Attachment | null> {
    if (!ID.test(id)) return null
    const bytes = await whileStored(() => readFile(join(this.#directoryOf(document), id)))
    const type = bytes === null ? null : imageTypeOf(bytes)
    return bytes === null || type === null ? null : { type, bytes }
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
    if (names.includes(id)) return
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

/** Under its name there is all of it or nothing, also after a power cut. */
async function writeWhole(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const made = await mkdir(directory, { recursive: true })
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
  await syncDirectory(directory)
  if (made !== undefined) await syncDirectory(join(made, '..'))
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
