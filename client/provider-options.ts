import { Doc } from 'yjs'
import type { Awareness } from 'y-protocols/awareness'
import { documentNameFault } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import type { TokenSource } from './connection-options.ts'
import type { SocketIOConnection } from './connection.ts'
import type { ProviderCallbacks } from './provider-callbacks.ts'
import type { CloseDescription } from './provider-events.ts'
import type { SocketIOProvider } from './provider.ts'
import type { PersistenceSource } from './local-copy.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import type { OpenTabPort } from './tab-port.ts'
import type { Network } from './wire.ts'

export interface ProviderOptions {
  /** Default: a new one. Null: an Awareness without a state, so that nobody sees this client. */
  readonly awareness?: Awareness | null | undefined
  /** Connect at once. Default true. */
  readonly connect?: boolean | undefined
  /** Another name of `connect`. */
  readonly autoConnect?: boolean | undefined
  /** Default null: anonymous. A function is asked at every attempt to connect, and before its last token ends. */
  readonly token?: TokenSource | undefined
  /** More for the Socket.IO handshake, for the application's own checks. */
  readonly auth?: Readonly<Record<string, unknown>> | undefined
  /** Sent in the query of the connection's URL, as y-websocket does. The server's hooks find them in the handshake's URL. */
  readonly params?: Readonly<Record<string, string>> | undefined
  /** The longest pause between two attempts to connect or join, in milliseconds. Default 30,000. */
  readonly maxBackoffTime?: number | undefined
  /**
   * About how long after joining, and after editing, the copy here is compared with the server's at a quiet moment, in milliseconds:
   * half to one and a half times as long, by chance. A difference is healed, and told as the error `state-diverged`. It costs one
   * small request. Default 60,000; null turns it off.
   */
  readonly selfCheckIntervalMs?: number | null | undefined
  /** Passed to socket.io-client. Providers share a socket only if they were given the same object. */
  readonly socketIo?: SocketIOOptions | undefined
  /**
   * Keeps the document on this device: `(name, doc) => new IndexedDBPersistence(name, doc)`, or a y-indexeddb.
   * One that a function makes is destroyed with the provider. Default null.
   */
  readonly persistence?: PersistenceSource | undefined
  /** How long the first join waits for the persistence, in milliseconds; false: not at all. Default 2000. */
  readonly waitForPersistence?: number | false | undefined
  /** Default: the one that all providers with the same URL, token and options share. */
  readonly connection?: SocketIOConnection | undefined
  /** Hocuspocus' name of `connection`. */
  readonly websocketProvider?: SocketIOConnection | undefined
  /** False: a connection of its own, shared with nobody. Default true. */
  readonly shared?: boolean | undefined
  /** Lets the browser ask before it closes the page while changes are `unsaved` or `saving`. Default false. */
  readonly warnOnClose?: boolean | undefined
  /** Asked when a connection was lost; false leaves it at that, until `connect`. */
  readonly shouldReconnect?:
    | ((event: CloseDescription, provider: SocketIOProvider) => boolean)
    | undefined
  /**
   * `auto`: subdocuments of the Y.Doc are kept in sync too while they are loaded, on the same socket, under the name
   * `<name>/<guid>`, without presence of their own. Default false.
   */
  readonly subdocs?: 'auto' | false | undefined
  /** True: nothing is exchanged with other tabs of this browser. Default false. */
  readonly disableBc?: boolean | undefined
  /** In place of the browser's BroadcastChannel; for tests and simulations. */
  readonly tabs?: OpenTabPort | undefined
  /** In place of Socket.IO; for tests and simulations. */
  readonly network?: Network | undefined
  /** In place of the system's; for tests and simulations. Ignored with `connection`, which has its own. */
  readonly clock?: Clock | undefined
}

/** The form with names. `url` may be left out if there is a `connection`. */
export interface ProviderConfig extends ProviderOptions, ProviderCallbacks {
  readonly url?: string | undefined
  readonly name: string
  /** Default: a new one. */
  readonly document?: Doc | undefined
}

export type ProviderArguments =
  | readonly [config: ProviderConfig]
  | readonly [
      url: string,
      name: string,
      doc?: Doc | undefined,
      options?: ProviderOptions | undefined,
      socketIo?: SocketIOOptions | undefined,
    ]

export interface ResolvedConfig extends ProviderConfig {
  readonly url: string
  readonly document: Doc
}

export const DEFAULT_SELF_CHECK_MS = 60_000
/** Below it clients do little else. */
const MIN_SELF_CHECK_MS = 100

/** Both forms of the constructor as one, checked. */
export function resolveConfig(args: ProviderArguments): ResolvedConfig {
  const config: ProviderConfig =
    typeof args[0] === 'string' ? positional(args as PositionalArguments) : args[0]
  const connection = config.connection ?? config.websocketProvider
  const url = config.url ?? connection?.url
  if (url === undefined) throw new TypeError('a provider needs a url or a connection')
  const fault = documentNameFault(config.name)
  if (fault !== null) throw new TypeError(fault)
  const { selfCheckIntervalMs } = config
  if (typeof selfCheckIntervalMs === 'number' && !(selfCheckIntervalMs >= MIN_SELF_CHECK_MS))
    throw new TypeError(
      `selfCheckIntervalMs is ${selfCheckIntervalMs}; at least ${MIN_SELF_CHECK_MS} ms are expected, or null`,
    )
  return { ...config, connection, url, document: config.document ?? new Doc() }
}

type PositionalArguments = Exclude<ProviderArguments, readonly [ProviderConfig]>

function positional([url, name, document, options, socketIo]: PositionalArguments): ProviderConfig {
  return {
    ...options,
    url,
    name,
    document,
    socketIo: socketIo ?? options?.socketIo,
  }
}
