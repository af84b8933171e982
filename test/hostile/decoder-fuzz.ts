import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Presence, type PresenceOwner } from '../../src/document/presence.ts'
import { DocumentError } from '../../src/errors.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { isJson } from '../../src/update/json-syntax.ts'
import { withoutKnown } from '../../src/update/known-overlap.ts'
import { parseStateVector } from '../../src/update/state-vector.ts'
import { utf16Length } from '../../src/update/utf8.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import { encodePresence } from '../support/awareness-message.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { hex } from '../update/forged-update.ts'
import { Random, RandomWorld } from '../update/random-world.ts'

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

/** A document is small, so that what the scan accepts can be given to Yjs thousands of times. */
const MAX_UPDATES = 8
const MAX_SPLICE = 40
const MAX_NESTING = 64

/**
 * Bytes that were right, with faults, for everything that decodes a stranger's bytes: the scan of updates, state vectors, presence,
 * JSON. Without sockets, storage and promises: tens of thousands of cases a second. What is accepted, Yjs or the language takes too.
 */
export class DecoderFuzz {
  readonly counts = new Map<string, number>()
  readonly #random: Random
  readonly #index: DocumentIndex
  readonly #state: Uint8Array
  readonly #honest: readonly Uint8Array[]
  readonly #vectors: readonly Uint8Array[]
  readonly #presence = presenceSamples()
  readonly #owner: PresenceOwner = { user: null, hasClientId: (clientId) => clientId < 1000 }
  #scratch = new Uint8Array(1024)

  constructor(seed: number) {
    this.#random = new Random(seed)
    const world = new RandomWorld(seed)
    for (let rounds = this.#random.below(MAX_UPDATES); rounds > 0; rounds--)
      world.accept(world.nextUpdate())
    this.#state = Y.encodeStateAsUpdate(world.server)
    this.#index = indexOf(this.#state)
    this.#honest = [world.nextUpdate(), world.nextUpdate(), this.#state]
    this.#vectors = [Y.encodeStateVector(world.server)]
  }

  run(cases: number): void {
    const random = this.#random
    for (let left = cases; left > 0; left--) {
      const way = random.below(100)
      if (way < 75) this.#scan()
      else if (way < 83) this.#vector()
      else if (way < 92) this.#announce()
      else this.#json()
    }
  }

  #scan(): void {
    const update = this.#mutate(this.#honest)
    const scan = scanUpdate(update, this.#index)
    this.#count(`scan: ${scan.verdict}`)
    if (scan.verdict === 'valid') this.#expectApplied(update, scan)
  }

  /** Yjs takes it whole, and knows as much after it as the index. */
  #expectApplied(update: Uint8Array, scan: ValidScan): void {
    const logged = withoutKnown(update, scan)
    const doc = new Y.Doc()
    try {
      Y.applyUpdate(doc, this.#state)
      Y.applyUpdate(doc, logged)
      if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
        throw new Error('Yjs left something pending')
      const after = this.#index.clone()
      after.apply(scan)
      if (hex(after.stateVector()) !== hex(Y.encodeStateVector(doc)))
        throw new Error('the state vectors differ')
    } catch (error) {
      throw new Error(`update ${hex(logged)} on state ${hex(this.#state)}`, { cause: error })
    }
  }

  #vector(): void {
    const bytes = this.#mutate(this.#vectors)
    const clocks = parseStateVector(bytes)
    this.#count(`state vector: ${clocks === null ? 'malformed' : 'valid'}`)
    if (clocks === null) return
    const known = Y.decodeStateVector(bytes)
    for (const [client, clock] of clocks)
      if (known.get(client) !== clock) throw new Error(`state vector ${hex(bytes)}`)
  }

  #announce(): void {
    const bytes = this.#mutate(this.#presence)
    const presence = new Presence({
      clock: new ManualClock(),
      intervalMs: 0,
      refreshMs: 1000,
      maxStateBytes: 1000,
      maxDocumentBytes: 10_000,
      send: () => undefined,
      memberCount: () => 1,
    })
    try {
      presence.handleUpdate(this.#owner, bytes)
      this.#count('presence: valid')
    } catch (error) {
      if (!(error instanceof DocumentError)) throw new Error(`presence ${hex(bytes)}`, { cause: error }) // prettier-ignore
      this.#count(`presence: ${error.code}`)
      return
    }
    const told = presence.encodeAll()
    presence.close()
    if (told === null) return
    const awareness = new Awareness(new Y.Doc())
    try {
      applyAwarenessUpdate(awareness, told, null)
    } catch (error) {
      throw new Error(`presence ${hex(bytes)}`, { cause: error })
    } finally {
      awareness.destroy()
    }
  }

  #json(): void {
    const bytes = this.#mutate(JSON_SAMPLES)
    const isOurs =
      utf16Length(bytes, 0, bytes.length) >= 0 && isJson(bytes, 0, bytes.length, MAX_NESTING)
    this.#count(`JSON: ${isOurs ? 'valid' : 'malformed'}`)
    if (!isOurs) return
    try {
      JSON.parse(UTF8.decode(bytes))
    } catch (error) {
      throw new Error(`JSON ${hex(bytes)}`, { cause: error })
    }
  }

  /** A copy with one to three faults: flipped bits, other bytes, cuts, and pieces of other samples. */
  #mutate(samples: readonly Uint8Array[]): Uint8Array {
    const random = this.#random
    const sample = random.pick(samples)
    const needed = sample.length + 3 * (MAX_SPLICE + 1)
    if (this.#scratch.length < needed) this.#scratch = new Uint8Array(needed * 2)
    const bytes = this.#scratch
    bytes.set(sample)
    let { length } = sample
    for (let faults = 1 + random.below(3); faults > 0; faults--) {
      const at = random.below(length + 1)
      switch (random.below(8)) {
        case 0:
        case 1:
          if (at < length) bytes[at]! ^= 1 << random.below(8)
          break
        case 2:
          if (at < length) bytes[at] = random.below(256)
          break
        case 3:
          if (random.chance(0.3)) length = at
          break
        case 4:
          bytes.copyWithin(at + 1, at, length++)
          bytes[at] = random.below(256)
          break
        case 5:
          if (at < length) bytes.copyWithin(at, at + 1, length--)
          break
        case 6:
          if (at < length) bytes[at]! += random.pick([1, -1, 2])
          break
        default: {
          const donor = random.pick(samples)
          const from = random.below(donor.length)
          const piece = donor.subarray(from, from + random.below(MAX_SPLICE))
          bytes.copyWithin(at + piece.length, at, length)
          bytes.set(piece, at)
          length += piece.length
        }
      }
    }
    return bytes.slice(0, length)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()
const JSON_SAMPLES = [
  '{"user":{"name":"Ada \\u00e9 é 😀","color":"#fff"},"cursor":{"anchor":-1.5e-3}}',
  '[null,true,false,0,-0,1e+10,"\\ud83d\\ude00\\"\\\\\\/\\b",[[[]]],{}]',
  '"\\u0000\\uffff"',
].map((text) => encoder.encode(text))

function presenceSamples(): Uint8Array[] {
  return [
    encodePresence({ clientId: 1, clock: 5, state: { user: { name: 'Ada' }, cursor: [1, 2] } }),
    encodePresence({ clientId: 1, clock: 5, state: null }, { clientId: 999, clock: 0, state: {} }),
  ]
}

function indexOf(state: Uint8Array): DocumentIndex {
  const index = new DocumentIndex()
  const scan = scanUpdate(state, index)
  if (scan.verdict !== 'valid') throw new Error(`what Yjs made does not scan: ${scan.message}`)
  index.apply(scan)
  return index
}
