import type { Handle } from './database.ts'
import type { Device } from './device.ts'
import type { Page } from './page.ts'
import { KeyRange } from './stored-keys.ts'

/** The devices of the story that is being played. */
let devices: readonly Device[] = []

/** A page asks the browser's globals for names that begin with its own key: they cannot tell who calls. */
function ownerOf(name: string): { page: Page; own: string } | null {
  const [key = '', own = ''] = name.split('|')
  for (const { pages } of devices) {
    const page = pages.get(key)
    if (page !== undefined) return { page, own }
  }
  return null
}

/** IndexedDB and Web Locks of the simulated pages, until `uninstall`. A page that is gone is never answered. */
export function installBrowser(ofStory: readonly Device[]): void {
  devices = ofStory
  const locks = { request: requestLock }
  for (const [name, value] of Object.entries({
    indexedDB: { open },
    IDBKeyRange: KeyRange,
    navigator: { locks },
  }))
    Object.defineProperty(globalThis, name, { value, configurable: true })
}

export function uninstallBrowser(): void {
  devices = []
  for (const name of ['indexedDB', 'IDBKeyRange', 'navigator'])
    Reflect.deleteProperty(globalThis, name)
}

interface OpenRequest {
  result: unknown
  onupgradeneeded: (() => void) | null
  onsuccess: (() => void) | null
}

function open(name: string): OpenRequest {
  const request: OpenRequest = { result: undefined, onupgradeneeded: null, onsuccess: null }
  if (name === REGISTRY) {
    request.result = registryHandle()
    queueMicrotask(() => request.onsuccess?.())
    return request
  }
  const owner = ownerOf(name)
  owner?.page.device.openDatabase(owner.page, owner.own, (handle: Handle, isNew: boolean) => {
    request.result = handle
    if (isNew) request.onupgradeneeded?.()
    request.onsuccess?.()
  })
  return request
}

/** The list of documents on a device is of no page, and nobody here asks for it: it takes everything, and keeps nothing. */
const REGISTRY = 'y-rooms:documents'

function registryHandle(): object {
  const store = { put: () => undefined, delete: () => undefined }
  return {
    close: () => undefined,
    transaction: () => {
      const transaction = { objectStore: () => store, oncomplete: (): void => undefined }
      queueMicrotask(() => transaction.oncomplete())
      return transaction
    },
  }
}

const LOCK_PREFIX = 'y-rooms '

function requestLock(
  name: string,
  { signal }: { readonly signal: AbortSignal },
  use: () => unknown,
): Promise<unknown> {
  const owner = ownerOf(name.slice(LOCK_PREFIX.length))
  // Never granted to a page that is gone.
  if (owner === null) return new Promise(() => undefined)
  return owner.page.device.locks.request(owner.page, owner.own, signal, use)
}
