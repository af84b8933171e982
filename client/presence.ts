import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { applyAwarenessUpdate, removeAwarenessStates, type Awareness } from 'y-protocols/awareness'
import type { CancelTimer, Clock } from './clock.ts'
import type { Membership } from './document-sync-options.ts'
import { callListener } from './observable.ts'
import { ProviderError } from './provider-error.ts'

/** 25 positions a second look like movement; more only costs. */
const SEND_INTERVAL_MS = 40

interface AwarenessChange {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

interface PresenceOptions {
  readonly awareness: Awareness
  readonly clock: Clock
  /** The origin of awareness changes that the server sent. */
  readonly origin: object
  /** Another tab says of itself that it is this client: it is still there when the server loses sight of it. */
  readonly isTab: (clientId: number) => boolean
  readonly handleError: (error: ProviderError) => void
}

/**
 * Exchanges presence with the server: sends the local state and only that, shows the others', and
 * forgets them when the server is gone. The local state is the application's and never touched.
 */
export class Presence {
  readonly #options: PresenceOptions
  /** The client ids that the server introduced; another provider's on the same Awareness are not ours to remove. */
  readonly #remote = new Set<number>()
  #membership: Membership | null = null
  /** The state as the server has it, as JSON; null: it has none. */
  #sent: string | null = null
  #sentAt = -Infinity
  #cancelSend: CancelTimer | null = null

  constructor(options: PresenceOptions) {
    this.#options = options
    // 'update', not 'change': an editor that mutates its state in place (Lexical) causes no 'change'.
    options.awareness.on('update', this.#handleLocal)
  }

  /** We are in the document: tells the others about us, and us about the others. */
  handleJoined(membership: Membership, others: Uint8Array | undefined): void {
    this.#membership = membership
    this.#sent = null
    if (others !== undefined) this.handleRemote(others)
    this.#send()
  }

  /** The server tells of this client: what it says goes before what others say. */
  isRemote(clientId: number): boolean {
    return this.#remote.has(clientId)
  }

  /** Out of the document: nobody is known to be there, and nothing remains of their clocks. */
  handleLeft(): void {
    this.#membership = null
    this.#cancelSend?.()
    this.#cancelSend = null
    const { awareness, origin, isTab } = this.#options
    const gone = [...this.#remote].filter((clientId) => !isTab(clientId))
    this.#remote.clear()
    callListener(() => removeAwarenessStates(awareness, gone, origin))
    // The server's clocks may start anew, and an older clock would hide a present person.
    for (const clientId of gone) awareness.meta.delete(clientId)
  }

  handleRemote(update: Uint8Array): void {
    const { awareness, origin, isTab, handleError } = this.#options
    try {
      const { others, removed } = readOthers(update, awareness.clientID)
      for (const clientId of removed) if (isTab(clientId)) others.delete(clientId)
      for (const clientId of others.keys()) {
        // The server's copy may have more in it than the tab's, at the same clock.
        if (!this.#remote.has(clientId) && isTab(clientId)) awareness.meta.delete(clientId)
        this.#remote.add(clientId)
      }
      applyAwarenessUpdate(awareness, encodeStates(others), origin)
      for (const clientId of removed) {
        this.#remote.delete(clientId)
        if (!isTab(clientId)) awareness.meta.delete(clientId)
      }
    } catch (cause) {
      handleError(
        new ProviderError(
          'apply-failed',
          'a presence update was not readable, or an observer threw',
          {
            cause,
          },
        ),
      )
    }
  }

  destroy(): void {
    this.#options.awareness.off('update', this.#handleLocal)
    this.handleLeft()
  }

  readonly #handleLocal = (change: AwarenessChange): void => {
    const { awareness, clock } = this.#options
    if (this.#membership === null) return
    // Others' states are not ours to send, wherever they came from. The server never sends us our own.
    const concerns = (ids: readonly number[]): boolean => ids.includes(awareness.clientID)
    if (!concerns(change.added) && !concerns(change.updated) && !concerns(change.removed)) return
    if (this.#cancelSend !== null) return
    const waitMs = this.#sentAt + SEND_INTERVAL_MS - clock.now()
    if (waitMs <= 0) this.#send()
    else
      this.#cancelSend = clock.setTimer(waitMs, () => {
        this.#cancelSend = null
        this.#send()
      })
  }

  #send(): void {
    const { awareness, clock, handleError } = this.#options
    const json = this.#writeState()
    // Awareness repeats itself every 15 s for peers that forget; the server does not forget.
    if (this.#membership === null || json === this.#sent) return
    const { channel, handle, limits } = this.#membership
    this.#sent = json
    this.#sentAt = clock.now()
    const meta = awareness.meta.get(awareness.clientID)
    const update = encodeStates(
      new Map([[awareness.clientID, { clock: meta?.clock ?? 0, json: json ?? 'null' }]]),
    )
    if (update.length > limits.presenceBytes)
      handleError(
        new ProviderError(
          'presence-too-large',
          `presence may have ${limits.presenceBytes} bytes, this one has ${update.length}`,
          { retry: 'never' },
        ),
      )
    else channel.send('awareness', [handle, update])
  }

  /** The local state as JSON, or null for none. One that is no JSON is told about, and shown to nobody. */
  #writeState(): string | null {
    const state = this.#options.awareness.getLocalState()
    try {
      return state === null ? null : JSON.stringify(state)
    } catch (cause) {
      const text = 'the local presence state cannot be written as JSON'
      const error = new ProviderError('malformed-awareness', text, { retry: 'never', cause })
      this.#options.handleError(error)
      return null
    }
  }
}

interface EncodedState {
  readonly clock: number
  readonly json: string
}

/** The states in an awareness update, without our own: of that the server only has a copy. */
function readOthers(
  update: Uint8Array,
  ownId: number,
): { others: Map<number, EncodedState>; removed: number[] } {
  const others = new Map<number, EncodedState>()
  const removed: number[] = []
  const decoder = decoding.createDecoder(update)
  for (let count = decoding.readVarUint(decoder); count > 0; count--) {
    const clientId = decoding.readVarUint(decoder)
    const clock = decoding.readVarUint(decoder)
    const json = decoding.readVarString(decoder)
    if (clientId === ownId) continue
    others.set(clientId, { clock, json })
    if (json === 'null') removed.push(clientId)
  }
  return { others, removed }
}

function encodeStates(states: ReadonlyMap<number, EncodedState>): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, states.size)
  for (const [clientId, { clock, json }] of states) {
    encoding.writeVarUint(encoder, clientId)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, json)
  }
  return encoding.toUint8Array(encoder)
}
