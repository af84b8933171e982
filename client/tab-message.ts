import type { Epoch } from '../protocol/index.ts'

/** Tabs may run different versions of the application: what is not of this version is not read. */
const VERSION = 1

/** What a tab says about itself with every message. */
export interface TabStanding {
  /** The history that its Y.Doc holds, as far as it knows. */
  readonly epoch: Epoch | null
  /** It is in the document with write access: what it changes, it uploads. */
  readonly uploads: boolean
  /** It has changes without a durable acknowledgement. */
  readonly hasUnsaved: boolean
  /** The database in which it stores what it changes, if tabs may share one. */
  readonly storage: string | null
  /** Everything that it was to store is in there. */
  readonly isStored: boolean
}

export type TabMessageBody =
  /** Begins, or may say what it knows from now on. Without `shares` it neither asks for nor gives content. */
  | { readonly type: 'hello'; readonly shares: boolean }
  /** The tab `to` said hello, and may ask us for content. */
  | { readonly type: 'offer'; readonly to: string }
  /** The tab `to` is asked for what we lack. */
  | { readonly type: 'ask'; readonly to: string; readonly stateVector: Uint8Array }
  /** What the tab `to` lacked when it said its state vector; with a state vector, the other way is asked for too. */
  | {
      readonly type: 'state'
      readonly to: string
      readonly update: Uint8Array
      readonly stateVector: Uint8Array | null
    }
  | { readonly type: 'edit'; readonly update: Uint8Array }
  | { readonly type: 'presence'; readonly clientId: number; readonly update: Uint8Array }
  /** Everybody says `here`. */
  | { readonly type: 'ping' }
  | { readonly type: 'here' }
  | { readonly type: 'bye' }

export interface TabMessage extends TabStanding {
  readonly from: string
  readonly body: TabMessageBody
}

export function writeTabMessage(message: TabMessage): unknown {
  return { version: VERSION, ...message }
}

/** Null for what no tab of this version says. */
export function readTabMessage(value: unknown): TabMessage | null {
  if (!isRecord(value) || value['version'] !== VERSION || !isRecord(value['body'])) return null
  const { from, epoch, uploads, hasUnsaved, storage, isStored } = value
  if (typeof from !== 'string' || typeof uploads !== 'boolean' || typeof hasUnsaved !== 'boolean')
    return null
  if (epoch !== null && typeof epoch !== 'string') return null
  if ((storage !== null && typeof storage !== 'string') || typeof isStored !== 'boolean')
    return null
  const body = readBody(value['body'])
  return body === null ? null : { from, epoch, uploads, hasUnsaved, storage, isStored, body }
}

function readBody(body: Record<string, unknown>): TabMessageBody | null {
  const { type, shares, stateVector, update, to, clientId } = body
  const isAsking = stateVector === null || stateVector instanceof Uint8Array
  switch (type) {
    case 'hello':
      return typeof shares === 'boolean' ? { type, shares } : null
    case 'state':
      if (!isAsking || typeof to !== 'string' || !(update instanceof Uint8Array)) return null
      return { type, to, update, stateVector }
    case 'offer':
      return typeof to === 'string' ? { type, to } : null
    case 'ask':
      if (typeof to !== 'string' || !(stateVector instanceof Uint8Array)) return null
      return { type, to, stateVector }
    case 'edit':
      return update instanceof Uint8Array ? { type, update } : null
    case 'presence':
      if (typeof clientId !== 'number' || !(update instanceof Uint8Array)) return null
      return { type, clientId, update }
    case 'ping':
    case 'here':
    case 'bye':
      return { type }
    default:
      return null
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
