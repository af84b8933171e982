import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export interface PresenceState {
  readonly clientId: number
  readonly clock: number
  readonly state: Record<string, unknown> | null
}

/** A y-protocols awareness update, written by hand: clocks and ids as a test wants them. */
export function encodePresence(...states: readonly PresenceState[]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, states.length)
  for (const { clientId, clock, state } of states) {
    encoding.writeVarUint(encoder, clientId)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, JSON.stringify(state))
  }
  return encoding.toUint8Array(encoder)
}

export function decodePresence(update: Uint8Array): PresenceState[] {
  const decoder = decoding.createDecoder(update)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    clientId: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: JSON.parse(decoding.readVarString(decoder)) as PresenceState['state'],
  }))
}
