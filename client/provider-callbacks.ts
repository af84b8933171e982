import type { ProviderEvents } from './provider-events.ts'
import type { SocketIOProvider } from './provider.ts'

/** Hocuspocus' way to listen: functions in the configuration. Each is called as a listener of the event would be. */
export interface ProviderCallbacks {
  readonly onOpen?: ProviderEvents['open'] | undefined
  readonly onConnect?: ProviderEvents['connect'] | undefined
  readonly onDisconnect?: ProviderEvents['disconnect'] | undefined
  readonly onClose?: ProviderEvents['close'] | undefined
  readonly onDestroy?: ProviderEvents['destroy'] | undefined
  readonly onStatus?: ProviderEvents['status'] | undefined
  readonly onSynced?: ProviderEvents['synced'] | undefined
  readonly onAuthenticated?: ProviderEvents['authenticated'] | undefined
  readonly onAuthenticationFailed?: ProviderEvents['authenticationFailed'] | undefined
  readonly onUnsyncedChanges?: ProviderEvents['unsyncedChanges'] | undefined
  readonly onAwarenessUpdate?: ProviderEvents['awarenessUpdate'] | undefined
  readonly onAwarenessChange?: ProviderEvents['awarenessChange'] | undefined
}

const EVENTS = {
  onOpen: 'open',
  onConnect: 'connect',
  onDisconnect: 'disconnect',
  onClose: 'close',
  onDestroy: 'destroy',
  onStatus: 'status',
  onSynced: 'synced',
  onAuthenticated: 'authenticated',
  onAuthenticationFailed: 'authenticationFailed',
  onUnsyncedChanges: 'unsyncedChanges',
  onAwarenessUpdate: 'awarenessUpdate',
  onAwarenessChange: 'awarenessChange',
} as const satisfies Record<keyof ProviderCallbacks, keyof ProviderEvents>

/** They go with the provider, which forgets its listeners when it is destroyed. */
export function listenWith(provider: SocketIOProvider, callbacks: ProviderCallbacks): void {
  for (const [name, event] of Object.entries(EVENTS)) {
    const callback = callbacks[name as keyof ProviderCallbacks]
    if (callback !== undefined) provider.on(event, callback as never)
  }
}
