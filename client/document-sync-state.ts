import type { JoinAnswer } from '../protocol/index.ts'
import type { CatchUp } from './catch-up.ts'
import type { Channel } from './channel.ts'
import type { CancelTimer } from './clock.ts'
import type { Membership } from './document-sync-options.ts'
import type { Uploader } from './uploader.ts'

export interface Joining {
  readonly at: 'joining'
  readonly channel: Channel
  readonly clientId: number
  /** It asked for the entries after a sequence number. */
  readonly usesCursor: boolean
}

export interface Loading {
  readonly at: 'loading'
  readonly membership: Membership
  /** As of the latest `access` event. */
  access: JoinAnswer['access']
  /** What was relayed meanwhile is not kept, only remembered: it is read from the log afterwards. */
  highestRelayed: number
}

export interface Live {
  readonly at: 'live'
  readonly membership: Membership
  /** As of the latest `access` event. */
  access: JoinAnswer['access']
  readonly catchUp: CatchUp
  readonly uploader: Uploader
}

/** Where a document stands with its server. */
export type State =
  | { readonly at: 'detached' }
  | Joining
  | Loading
  | Live
  | { readonly at: 'waiting'; readonly cancel: CancelTimer }
  | { readonly at: 'ended' }
