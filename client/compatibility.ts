import { CloseWarning } from './close-warning.ts'
import { onPageLife } from './page-life.ts'
import { onPresence } from './presence-events.ts'
import { listenWith } from './provider-callbacks.ts'
import type { CloseDescription, ConnectionPhase } from './provider-events.ts'
import type { ResolvedConfig } from './provider-options.ts'
import type { SocketIOProvider } from './provider.ts'

/**
 * What other providers tell in events of their own, made of the provider's: it adds nothing that the provider does not know. And
 * what a page does with presence when it is put aside and taken out again.
 */
export class Compatibility {
  readonly #provider: SocketIOProvider
  readonly #warning = new CloseWarning()
  readonly #stops: (() => void)[]
  #hasLocalChanges = false
  #phase: ConnectionPhase = 'offline'
  #hasFailed = false
  #isRefused = false

  constructor(provider: SocketIOProvider, config: ResolvedConfig) {
    this.#provider = provider
    listenWith(provider, config)
    const { awareness } = provider
    // Listening costs nothing while nobody listens to us: the states are only listed for somebody.
    const forward = (event: 'awarenessUpdate' | 'awarenessChange') => (states: () => []) => {
      if (provider._observers.has(event)) provider.emit(event, [{ states: states() }])
    }
    this.#stops = [
      onPresence(awareness, 'update', forward('awarenessUpdate') as never),
      onPresence(awareness, 'change', forward('awarenessChange') as never),
      this.#keepPresenceOverCache(),
    ]
    provider.on('status', ({ status, connected }) => {
      this.#hasFailed &&= !connected
      this.#isRefused &&= status === 'disconnected'
      if (connected) {
        provider.emit('connect', [])
        provider.emit('open', [{ event: null }])
      }
      this.tellPhase()
    })
    provider.on('sync', () => this.tellPhase())
    provider.on('connection-close', (event) => this.#handleClose(event))
    provider.on('closed', (event) => {
      this.#isRefused = true
      this.#handleClose(event)
      this.tellPhase()
    })
    provider.on('connection-error', () => {
      this.#hasFailed = true
      this.tellPhase()
    })
    provider.on('unsyncedChanges', ({ number }) => this.#tellLocalChanges(number > 0))
    if (config.warnOnClose === true) {
      const warn = (): void => {
        const { saveState } = provider
        this.#warning.set(saveState === 'unsaved' || saveState === 'saving')
      }
      provider.on('save-state', warn)
      warn()
    }
  }

  destroy(): void {
    this.#warning.set(false)
    for (const stop of this.#stops) stop()
  }

  #handleClose(event: CloseDescription): void {
    this.#provider.emit('disconnect', [{ event }])
    this.#provider.emit('close', [{ event }])
  }

  #tellLocalChanges(hasLocalChanges: boolean): void {
    if (hasLocalChanges === this.#hasLocalChanges) return
    this.#hasLocalChanges = hasLocalChanges
    this.#provider.emit('local-changes', [hasLocalChanges])
  }

  /** Tells `connection-status` if it has changed. */
  tellPhase(): void {
    const phase = this.#readPhase()
    if (phase === this.#phase) return
    this.#phase = phase
    this.#provider.emit('connection-status', [phase])
  }

  #readPhase(): ConnectionPhase {
    const { status, synced, shouldConnect } = this.#provider
    if (status === 'connected') return synced ? 'connected' : 'handshaking'
    if (status === 'connecting') return 'connecting'
    if (this.#isRefused || (shouldConnect && this.#hasFailed)) return 'error'
    return shouldConnect ? 'connecting' : 'offline'
  }

  /** An editor may clear its presence when the page goes (Lexical does) and not know that it has come back. */
  #keepPresenceOverCache(): () => void {
    const { awareness } = this.#provider
    let before: Record<string, unknown> | null = null
    return onPageLife({
      handleHide: () => {
        before = awareness.getLocalState() as Record<string, unknown> | null
      },
      handleReturn: () => {
        if (before !== null && awareness.getLocalState() === null) awareness.setLocalState(before)
      },
    })
  }
}
