import * as Y from 'yjs'
import { perMessage } from '../clients/same-bytes.mjs'
import { Reader, varText, varUint } from './bytes.mjs'

/** A text item without an origin, and with one to the left, or right: what typing makes. */
const STRING = 4
const HAS_ORIGIN = 128
const HAS_RIGHT_ORIGIN = 64

const ALPHABET = 26
const LETTER_A = 97
const codeAt = (clock) => LETTER_A + (clock % ALPHABET)

/** The letter that every client types at this clock. */
export const letterAt = (clock) => String.fromCharCode(codeAt(clock))

/** Types into the shared text `body`, each letter after the one before, as one Yjs client. No Y.Doc. */
export class Typist {
  constructor(clientId) {
    this.clientId = clientId
    this.clock = 0
  }

  /** The update of the next keystroke. */
  type() {
    const client = varUint(this.clientId)
    const clock = this.clock++
    const letter = codeAt(clock)
    if (clock === 0)
      return Uint8Array.from([1, 1, ...client, 0, STRING, 1, ...varText('body'), 1, letter, 0])
    const before = [...client, ...varUint(clock - 1)]
    return Uint8Array.from([
      ...[1, 1, ...client, ...varUint(clock)],
      ...[STRING | HAS_ORIGIN, ...before, 1, letter, 0],
    ])
  }
}

/** Calls back with the clocks [from, to) of every client whose letters are in the update. */
export function forEachTyped(update, visit) {
  for (const { client, from, to } of typedIn(update)) visit(client, from, to)
}

/** The same as a list, which is shared by all who receive the update. */
export const typedIn = perMessage((update) => {
  const runs = []
  readTyped(update, (client, from, to) => runs.push({ client, from, to }))
  return runs
})

function readTyped(update, visit) {
  const reader = new Reader(update)
  for (let sections = reader.varUint(); sections > 0; sections--) {
    const structs = reader.varUint()
    const client = reader.varUint()
    const from = reader.varUint()
    let to = from
    for (let struct = 0; struct < structs; struct++) {
      const info = reader.bytes[reader.at++]
      if ((info & ~(HAS_ORIGIN | HAS_RIGHT_ORIGIN)) !== STRING) return visitDecoded(update, visit)
      for (const origin of [HAS_ORIGIN, HAS_RIGHT_ORIGIN])
        if (info & origin) {
          reader.varUint()
          reader.varUint()
        }
      if (info === STRING) {
        reader.varUint()
        reader.varBytes()
      }
      // The letters are ASCII.
      to += reader.varBytes().length
    }
    visit(client, from, to)
  }
}

/** Whatever else a server makes of typed letters. */
function visitDecoded(update, visit) {
  for (const { id, length } of Y.decodeUpdate(new Uint8Array(update)).structs)
    visit(id.client, id.clock, id.clock + length)
}

/** An awareness update: a caret that moves. */
export function caret(clientId, clock) {
  const state = JSON.stringify({
    user: { name: `user ${clientId % 1000}`, color: '#30bced' },
    cursor: { anchor: clock, head: clock },
  })
  return Uint8Array.from([1, ...varUint(clientId), ...varUint(clock), ...varText(state)])
}

const CURSOR = new TextEncoder().encode('"anchor":')

/** Every client whose caret is in the awareness update, and where it is. Shared by all who receive it. */
export const caretsIn = perMessage((update) => {
  const carets = []
  const reader = new Reader(update)
  for (let states = reader.varUint(); states > 0; states--) {
    const client = reader.varUint()
    reader.varUint()
    const state = reader.varBytes()
    const at = Buffer.from(state.buffer, state.byteOffset, state.length).indexOf(CURSOR)
    if (at < 0) continue
    // Servers number awareness clocks as they like; the caret's place is the writer's own count.
    let place = 0
    for (let digit = at + CURSOR.length; state[digit] >= 48 && state[digit] <= 57; digit++)
      place = place * 10 + state[digit] - 48
    carets.push({ client, place })
  }
  return carets
})
