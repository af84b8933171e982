import type { FileId } from '@excalidraw/excalidraw/element/types'
import type { BinaryFileData, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types'
import type { SocketIOProvider } from 'y-rooms/client'
import type { Map as YMap } from 'yjs'
import { token } from '../room/access-token.ts'
import type { Shape } from './shape.ts'

/** After an attempt that failed for no reason that lasts. */
const RETRY_MS = 3000

/** Excalidraw, as far as images are concerned. */
type Board = Pick<
  ExcalidrawImperativeAPI,
  'addFiles' | 'getFiles' | 'getSceneElements' | 'setToast' | 'updateScene'
>

/**
 * Images lie beside the document, as files of the server: their bytes would stay in it for ever, and go to everybody at once.
 * The document says which file belongs to which image of the board.
 */
export class BoardImages {
  readonly #board: Board
  readonly #provider: SocketIOProvider
  readonly #shared: YMap<string>
  readonly #handlePending: (isPending: boolean) => void
  /** Those that only this page has. */
  readonly #unsent = new Set<string>()
  readonly #sending = new Set<string>()
  readonly #fetching = new Set<string>()
  /** The server will not have them. */
  readonly #refused = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(
    board: Board,
    provider: SocketIOProvider,
    handlePending: (isPending: boolean) => void,
  ) {
    this.#board = board
    this.#provider = provider
    this.#handlePending = handlePending
    this.#shared = provider.doc.getMap('images')
    this.#shared.observe(this.#look)
    provider.on('status', this.#look)
    this.#look()
  }

  destroy(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#shared.unobserve(this.#look)
    this.#provider.off('status', this.#look)
  }

  /** Something is on the board, or is not any more. */
  handleChange(): void {
    this.#look()
  }

  /** Sends what the server lacks, and fetches what is missing here. */
  readonly #look = (): void => {
    const files = this.#board.getFiles()
    const drawn = new Set<string>()
    for (const shape of this.#board.getSceneElements() as unknown as readonly Shape[]) {
      const { type, fileId } = shape
      if (type !== 'image' || typeof fileId !== 'string') continue
      drawn.add(fileId)
      const file = files[fileId]
      const attachment: unknown = this.#shared.get(fileId)
      if (file !== undefined && attachment === undefined) void this.#send(fileId, file)
      if (file === undefined && typeof attachment === 'string')
        void this.#fetch(fileId as FileId, attachment)
    }
    // Taken off the board before it was sent.
    for (const fileId of this.#unsent) if (!drawn.has(fileId)) this.#unsent.delete(fileId)
    this.#handlePending(this.#unsent.size > 0)
  }

  async #send(fileId: string, file: BinaryFileData): Promise<void> {
    if (this.#provider.readOnly || this.#refused.has(fileId) || this.#sending.has(fileId)) return
    this.#sending.add(fileId)
    this.#unsent.add(fileId)
    try {
      const answer = await fetch(this.#url(), {
        method: 'POST',
        headers: { ...authorization(), 'content-type': 'application/octet-stream' },
        body: bytesOf(file.dataURL),
      })
      if (answer.ok) {
        const { id } = (await answer.json()) as { id: string }
        this.#unsent.delete(fileId)
        this.#shared.set(fileId, id)
        this.#mark(fileId, 'saved')
      } else if (answer.status >= 500 || answer.status === 429) this.#lookLater()
      else this.#refuse(fileId, await reasonOf(answer))
    } catch {
      // No network. Coming back is a reason to look again, and so is time.
      this.#lookLater()
    } finally {
      this.#sending.delete(fileId)
      this.#handlePending(this.#unsent.size > 0)
    }
  }

  async #fetch(fileId: FileId, attachment: string): Promise<void> {
    if (this.#fetching.has(fileId)) return
    this.#fetching.add(fileId)
    try {
      const answer = await fetch(`${this.#url()}/${encodeURIComponent(attachment)}`, {
        headers: authorization(),
      })
      if (answer.ok) {
        const picture = await answer.blob()
        const dataURL = (await dataUrlOf(picture)) as DataURL
        const mimeType = picture.type as BinaryFileData['mimeType']
        if (!this.#isClosed)
          this.#board.addFiles([{ id: fileId, dataURL, mimeType, created: Date.now() }])
      } else if (answer.status >= 500 || answer.status === 429) this.#lookLater()
    } catch {
      this.#lookLater()
    } finally {
      this.#fetching.delete(fileId)
    }
  }

  #refuse(fileId: string, reason: string): void {
    this.#refused.add(fileId)
    this.#unsent.delete(fileId)
    this.#mark(fileId, 'error')
    this.#board.setToast({ message: `The image was not taken: ${reason}`, closable: true })
  }

  /** How the image looks to everybody: with `pending` Excalidraw waits for it. */
  #mark(fileId: string, status: 'saved' | 'error'): void {
    const elements = this.#board
      .getSceneElements()
      .map((element) =>
        element.type === 'image' && element.fileId === fileId
          ? { ...element, status, version: element.version + 1 }
          : element,
      )
    this.#board.updateScene({ elements })
  }

  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, RETRY_MS)
  }

  #url(): string {
    const name = encodeURIComponent(this.#provider.name)
    return new URL(`/api/documents/${name}/attachments`, location.origin).href
  }
}

function authorization(): Record<string, string> {
  const given = token()
  return given === null ? {} : { authorization: `Bearer ${given}` }
}

/** Why the server refused it. Another one than ours may be in front, and say it in another way. */
async function reasonOf(answer: Response): Promise<string> {
  const problem = (await answer.json().catch(() => null)) as { message?: unknown } | null
  return typeof problem?.message === 'string' ? problem.message : `the server said ${answer.status}`
}

/** Not by `fetch`: the page's policy lets it speak to its server only. */
function bytesOf(dataUrl: string): Uint8Array<ArrayBuffer> {
  const text = atob(dataUrl.slice(dataUrl.indexOf(',') + 1))
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function dataUrlOf(picture: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error ?? new Error('the image could not be read'))
    reader.readAsDataURL(picture)
  })
}
