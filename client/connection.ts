import { PROTOCOL_VERSION } from '../protocol/index.ts'
import { Backoff } from './backoff.ts'
import { Channel } from './channel.ts'
import { systemClock, type CancelTimer, type Clock } from './clock.ts'
import type {
  ConnectionEvents,
  ConnectionMember,
  ConnectionOptions,
  ConnectionStatus,
  TokenSource,
} from './connection-options.ts'
import { Observable } from './observable.ts'
import { onPageLife } from './page-life.ts'
import { ProviderError } from './provider-error.ts'
import { serverAddress } from './server-url.ts'
import { socketIONetwork } from './socket-io-wire.ts'
import { TokenRenewal, tokenFailed } from './token-renewal.ts'
import { onWakeUp } from './wake-up.ts'
import type { Network, Wire } from './wire.ts'

type State =
  | { readonly at: 'idle' }
  | {
      readonly at: 'opening'
      wire: Wire | null
      token: string | null
      readonly cancel: CancelTimer
    }
  | {
      readonly at: 'open'
      readonly wire: Wire
      readonly channel: Channel
      readonly renewal: TokenRenewal
    }
  | { readonly at: 'waiting'; readonly cancel: CancelTimer }
  /** The page was put aside: nothing is tried until it is back. */
  | { readonly at: 'asleep' }

/** Longer than a slow phone network needs; after it the attempt is given up and made anew. */
const OPEN_TIMEOUT_MS = 20_000
const DEFAULT_MAX_BACKOFF_MS = 30_000
/** Below it a client hammers a server that is not there. */
const MIN_MAX_BACKOFF_MS = 50

/**
 * One socket for all documents of one server and one user. Open while at least one document is
 * attached; opens itself again after every end that is not a refusal.
 */
export class SocketIOConnection extends Observable<ConnectionEvents> {
  readonly url: string
  readonly clock: Clock
  readonly maxBackoffMs: number
  readonly #options: ConnectionOptions
  readonly #network: Network
  readonly #backoff: Backoff
  readonly #members = new Set<ConnectionMember>()
  #state: State = { at: 'idle' }
  #failures = 0
  #token: TokenSource
  #refusedToken: string | null | undefined
  #stopListening: (() => void) | null = null

  constructor(options: ConnectionOptions) {
    super()
    this.url = options.url
    this.clock = options.clock ?? systemClock
    this.maxBackoffMs = options.maxBackoffTime ?? DEFAULT_MAX_BACKOFF_MS
    if (!(this.maxBackoffMs >= MIN_MAX_BACKOFF_MS && this.maxBackoffMs < Infinity))
      throw new TypeError(
        `maxBackoffTime is ${this.maxBackoffMs}; at least ${MIN_MAX_BACKOFF_MS} ms are expected`,
      )
    this.#options = options
    this.#token = options.token ?? null
    // A bad URL is told to whom it concerns, not to a log at the first attempt.
    if (options.network === undefined) serverAddress(options.url, globalThis.location?.href)
    const { socketIo, params } = options
    this.#network =
      options.network ??
      socketIONetwork(params === undefined ? socketIo : { ...socketIo, query: { ...params } })
    this.#backoff = new Backoff(this.clock, this.maxBackoffMs)
  }

  get status(): ConnectionStatus {
    if (this.#state.at === 'open') return 'connected'
    return this.#state.at === 'opening' ? 'connecting' : 'disconnected'
  }

  /** Where its tokens come from: as it was made, or as `setToken` said last. */
  get token(): TokenSource {
    return this.#token
  }

  /**
   * From here on tokens come from here, for every document on this connection. An open connection goes by the new token without
   * a break (of another user: it is opened anew), one that waits for its next attempt tries at once. Resolves when the server has taken
   * the token, or will be shown it with the next attempt; rejects with a `ProviderError` when it refuses, and keeps the token
   * before until that ends.
   */
  async setToken(token: TokenSource): Promise<void> {
    this.#token = token
    this.#refusedToken = undefined
    if (this.#state.at !== 'open') {
      this.#retryNow()
      return
    }
    const failure = await this.#state.renewal.renew('expiring')
    if (failure?.code === 'user-changed') this.#reopen()
    else if (failure !== null) throw failure
  }

  /** How many documents are attached. */
  get size(): number {
    return this.#members.size
  }

  attach(member: ConnectionMember): void {
    if (this.#members.has(member)) return
    this.#members.add(member)
    switch (this.#state.at) {
      case 'idle':
        this.#stopListening ??= this.#listenToPage()
        this.#open()
        return
      case 'open':
        member.handleStatus('connected')
        // Whoever heard of the status may have left, or ended the connection.
        if (this.#state.at === 'open' && this.#members.has(member))
          member.handleOpen(this.#state.channel)
        return
      case 'opening':
        member.handleStatus('connecting')
        return
      case 'waiting':
      case 'asleep':
    }
  }

  /** Lets a document go, and the socket with the last one. What was sent so far still leaves. */
  detach(member: ConnectionMember): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return
    // One document follows another in one turn, as pages are changed, or the same one (React's StrictMode): they use one socket, and no
    // attempt is broken off, which browsers would complain about.
    this.clock.afterTurn(() => {
      if (this.#members.size === 0) this.#close()
    })
  }

  /** Closes the socket under every document that is attached, and forgets them. */
  override destroy(): void {
    const members = [...this.#members]
    this.#members.clear()
    const wasOpen = this.#state.at === 'open'
    this.#close()
    for (const member of members) {
      if (wasOpen) member.handleDown('the connection was destroyed')
      member.handleStatus('disconnected')
    }
    super.destroy()
  }

  #close(): void {
    const state = this.#state
    this.#state = { at: 'idle' }
    this.#stopListening?.()
    this.#stopListening = null
    this.#backoff.reset()
    this.#refusedToken = undefined
    if (state.at === 'open') closeOpen(state)
    if (state.at === 'opening' || state.at === 'waiting') state.cancel()
    if (state.at === 'opening' || state.at === 'open') {
      state.wire?.close()
      this.#announceStatus()
    }
  }

  #open(): void {
    const cancel = this.clock.setTimer(OPEN_TIMEOUT_MS, () =>
      this.#handleOpenFailed(
        attempt,
        new ProviderError(
          'connection-failed',
          `the server did not answer within ${OPEN_TIMEOUT_MS / 1000} s`,
        ),
      ),
    )
    const attempt: State & { at: 'opening' } = { at: 'opening', wire: null, token: null, cancel }
    this.#state = attempt
    this.#announceStatus()
    const token = this.#token
    if (typeof token !== 'function') this.#openWire(attempt, token)
    else void this.#openWithToken(attempt, token)
  }

  async #openWithToken(
    attempt: State & { at: 'opening' },
    ask: Exclude<TokenSource, string | null>,
  ): Promise<void> {
    try {
      this.#openWire(attempt, await ask('connect'))
    } catch (cause) {
      this.#handleOpenFailed(attempt, tokenFailed(cause))
    }
  }

  #openWire(attempt: State & { at: 'opening' }, token: string | null): void {
    if (this.#state !== attempt) return
    attempt.token = token
    const auth = {
      ...this.#options.auth,
      protocol: PROTOCOL_VERSION,
      ...(token === null ? {} : { token }),
    }
    const wire = this.#network(
      { url: this.url, auth, failures: this.#failures },
      {
        handleOpen: () => this.#handleOpen(attempt, wire),
        handleOpenFailed: (error) => {
          const isRefusedAgain = error.retry === 'reauth' && this.#refusedToken === token
          if (error.retry === 'reauth') this.#refusedToken = token
          // A fixed token, or one that was refused before, will not get better.
          const isFinal =
            error.retry === 'never' ||
            isRefusedAgain ||
            (error.retry === 'reauth' && typeof this.#token !== 'function')
          this.#handleOpenFailed(attempt, error, isFinal)
        },
        handleDown: (reason) => this.#handleDown(attempt, wire, reason),
        handleUpdate: (handle, from, to, update) =>
          this.#forMembers(wire, handle, (member) => member.handleUpdate(from, to, update)),
        handleAwareness: (handle, update) =>
          this.#forMembers(wire, handle, (member) => member.handleAwareness(update)),
        handleClosed: (handle, closed) =>
          this.#forMembers(wire, handle, (member) => member.handleClosed(closed)),
        handleAccess: (handle, change) =>
          this.#forMembers(wire, handle, (member) => member.handleAccess(change)),
        handleExpiring: () => this.#handleExpiring(wire),
      },
    )
    attempt.wire = wire
  }

  #forMembers(wire: Wire, handle: number, call: Parameters<Channel['forMembers']>[1]): void {
    if (this.#state.at === 'open' && this.#state.wire === wire)
      this.#state.channel.forMembers(handle, call)
  }

  #handleOpen(attempt: State & { at: 'opening' }, wire: Wire): void {
    if (this.#state !== attempt) return
    attempt.cancel()
    const renewal = new TokenRenewal({
      source: () => this.#token,
      shown: attempt.token,
      send: (token, handleAnswer) => channel.request('token', [token], handleAnswer),
    })
    const channel = new Channel(wire, this.clock, () => renewal.renew('rejected'))
    this.#state = { at: 'open', wire, channel, renewal }
    this.#failures = 0
    this.#refusedToken = undefined
    this.#backoff.handleSuccess()
    this.#announceStatus()
    for (const member of [...this.#members])
      if (this.#state.at === 'open' && this.#members.has(member)) member.handleOpen(channel)
  }

  #handleOpenFailed(
    attempt: State & { at: 'opening' },
    error: ProviderError,
    isFinal = false,
  ): void {
    if (this.#state !== attempt) return
    attempt.cancel()
    attempt.wire?.close()
    this.#failures++
    if (isFinal) {
      this.#refuse(error)
      return
    }
    this.#wait()
    this.emit('error', [error])
    for (const member of [...this.#members]) member.handleFailedAttempt(error)
  }

  #handleDown(attempt: State & { at: 'opening' }, wire: Wire, reason: string): void {
    if (this.#state === attempt) {
      // Cut between the transport's handshake and the server's admission.
      this.#handleOpenFailed(attempt, new ProviderError('connection-failed', reason))
      return
    }
    if (this.#state.at !== 'open' || this.#state.wire !== wire) return
    closeOpen(this.#state)
    wire.close()
    this.#wait()
    for (const member of [...this.#members]) member.handleDown(reason)
  }

  /** A fixed token stays what it is, until somebody calls `setToken`. */
  #handleExpiring(wire: Wire): void {
    if (this.#state.at !== 'open' || this.#state.wire !== wire) return
    if (typeof this.#token !== 'function') return
    void this.#state.renewal.renew('expiring').then((failure) => {
      if (this.#state.at !== 'open' || this.#state.wire !== wire) return
      if (failure?.code === 'user-changed') this.#reopen()
      // The token that we have still holds for a while; at its end the documents ask again.
      else if (failure !== null) this.emit('error', [failure])
    })
  }

  /** Somebody else is here from now on: under a connection of their own. */
  #reopen(): void {
    if (this.#state.at !== 'open') return
    closeOpen(this.#state)
    this.#state.wire.close()
    const members = [...this.#members]
    this.#open()
    for (const member of members) member.handleDown('the user changed')
  }

  #wait(): void {
    const cancel = this.clock.setTimer(this.#backoff.nextPauseMs(), () => this.#open())
    this.#state = { at: 'waiting', cancel }
    this.#announceStatus()
  }

  #listenToPage(): () => void {
    const stopWakeUp = onWakeUp(() => this.#retryNow())
    const stopPageLife = onPageLife({
      // A page that ends takes its sockets with it.
      handleHide: (isKept) => {
        if (isKept) this.#sleep()
      },
      handleReturn: () => {
        if (this.#state.at === 'asleep') this.#open()
      },
    })
    return () => {
      stopWakeUp()
      stopPageLife()
    }
  }

  /** Others see at once that we are gone, and a page without an open socket may wait in the browser's cache. */
  #sleep(): void {
    const state = this.#state
    if (state.at === 'asleep' || state.at === 'idle') return
    if (state.at === 'open') for (const member of [...this.#members]) member.flush()
    this.#state = { at: 'asleep' }
    if (state.at === 'open') closeOpen(state)
    if (state.at === 'opening' || state.at === 'waiting') state.cancel()
    if (state.at === 'opening' || state.at === 'open') state.wire?.close(true)
    this.#announceStatus()
    if (state.at === 'open')
      for (const member of [...this.#members]) member.handleDown('the page was put aside')
  }

  #retryNow(): void {
    if (this.#state.at !== 'waiting') return
    this.#state.cancel()
    this.#backoff.reset()
    this.#open()
  }

  #refuse(error: ProviderError): void {
    const members = [...this.#members]
    this.#members.clear()
    this.#state = { at: 'idle' }
    this.#close()
    for (const member of members) member.handleStatus('disconnected')
    this.emit('status', [{ status: 'disconnected' }])
    this.emit('error', [error])
    for (const member of members) member.handleRefused(error)
  }

  #announceStatus(): void {
    const { status } = this
    this.emit('status', [{ status }])
    for (const member of [...this.#members]) member.handleStatus(status)
  }
}

/** Nobody gets an answer over this connection any more. */
function closeOpen({ channel, renewal }: State & { at: 'open' }): void {
  channel.close()
  renewal.close()
}
