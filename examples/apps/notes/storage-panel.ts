import { listPendingDocuments, syncPending } from 'y-rooms/client'
import { element } from '../room/element.ts'
import type { Notebook } from './notebook.ts'

/** How much is on this device, whether it may stay, and what the server does not have yet. */
export class StoragePanel {
  readonly #dialog = element('storage', HTMLDialogElement)
  readonly #notebook: Notebook

  constructor(notebook: Notebook, opener: HTMLElement) {
    this.#notebook = notebook
    opener.addEventListener('click', () => {
      this.#dialog.showModal()
      void this.refresh()
    })
    element('close-storage', HTMLButtonElement).addEventListener('click', () =>
      this.#dialog.close(),
    )
    element('keep', HTMLButtonElement).addEventListener('click', () => {
      void keepStorage().then(() => this.refresh())
    })
    element('send-now', HTMLButtonElement).addEventListener('click', () => void this.#send())
  }

  async refresh(): Promise<void> {
    if (!this.#dialog.open) return
    const { storage } = navigator
    const { usage = 0, quota = 0 } = await storage.estimate()
    element('space', HTMLElement).textContent = `${bytes(usage)} used of ${bytes(quota)}.`
    const isKept = await storage.persisted()
    element('kept', HTMLElement).textContent = isKept
      ? 'It stays until you delete it.'
      : 'The browser may delete it when the device runs out of space.'
    element('keep', HTMLElement).hidden = isKept
    await this.#showPending()
  }

  async #showPending(): Promise<void> {
    const pending = await listPendingDocuments()
    const titles = new Map(this.#notebook.entries().map(({ id, title }) => [id, title]))
    const { name } = this.#notebook
    const items = pending.map(({ document: pendingName, changes }) => {
      const item = document.createElement('li')
      const id = pendingName.slice(name.length + 1)
      const title = pendingName === name ? 'The list of notes' : titles.get(id) || pendingName
      item.textContent = `${title}: ${changes} ${changes === 1 ? 'change' : 'changes'}`
      return item
    })
    element('pending', HTMLElement).replaceChildren(...items)
    element('no-pending', HTMLElement).hidden = items.length > 0
    element('send-now', HTMLElement).hidden = items.length === 0
  }

  /** Those that are open here send by themselves; other notebooks may have been left with something unsent. */
  async #send(): Promise<void> {
    const button = element('send-now', HTMLButtonElement)
    button.disabled = true
    const open = new Set(this.#notebook.providers.map(({ name }) => name))
    for (const provider of this.#notebook.providers) provider.forceSync()
    const { url } = this.#notebook.list
    const pending = await listPendingDocuments()
    const documents = pending.filter((each) => each.url === url && !open.has(each.document))
    await syncPending({ url, documents, timeoutMs: 10_000 })
    button.disabled = false
    await this.refresh()
  }
}

/** Asks the browser not to delete what is here when it needs space. Browsers decide by themselves, or ask. */
export async function keepStorage(): Promise<void> {
  if (!(await navigator.storage.persisted())) await navigator.storage.persist()
}

function bytes(count: number): string {
  if (count < 1_000_000) return `${Math.ceil(count / 1000)} kB`
  if (count < 1_000_000_000) return `${(count / 1_000_000).toFixed(1)} MB`
  return `${Math.round(count / 1_000_000_000)} GB`
}
