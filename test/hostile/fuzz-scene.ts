import * as Y from 'yjs'
import { ERROR_CODES, isErrorCode } from '../../protocol/index.ts'
import { CLIENT_EVENTS, type ClientEvent } from '../../src/connection/client-events.ts'
import type { Lease } from '../../src/document/document-registry.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { scanUpdate } from '../../src/update/update-scan.ts'
import { encodePresence } from '../support/awareness-message.ts'
import { hex } from '../update/forged-update.ts'
import { forgeRandomly, mutate } from '../update/random-mutation.ts'
import { Random, RandomWorld } from '../update/random-world.ts'
import { FUZZ_LIMITS, FuzzServer, type FuzzAnswer, type FuzzConnection } from './fuzz-server.ts'

const NAMES = ['draft', '__proto__'] as const
const NEIGHBOUR = 'neighbour'
const ATTACKERS = 2

/** A document under attack: its honest replicas, and a reader that applies what it is relayed. */
interface Target {
  readonly name: string
  readonly world: RandomWorld
  readonly reader: FuzzConnection
  readonly lease: Lease
  readonly handle: number
  readonly epoch: string
  readonly relayed: Uint8Array[]
  position: number
  /** How many of the reader's messages were applied. */
  applied: number
  /** A forgery may have used up clocks of an honest replica, or an update of its was lost: the next may be refused. */
  isForged: boolean
}

export interface Tally {
  cases: number
  readonly answers: Map<string, number>
  accepted: number
}

/**
 * Strangers who may write send sound and unsound requests in any order to two documents, beside a document that is not
 * theirs. After each answer: it is a coded one; what was accepted every Yjs takes whole; the
 * server's index is what Yjs has. Everything follows from the seed.
 */
export class FuzzScene {
  readonly #random: Random
  readonly #server = new FuzzServer()
  readonly #tally: Tally
  readonly #targets: Target[] = []
  readonly #attackers: FuzzConnection[] = []
  /** Requests so far, for the message of a failure. */
  readonly #story: string[] = []
  /** Sound updates and other bytes that were sent before: to be sent again, mixed, cut. */
  readonly #donors: Uint8Array[] = [Uint8Array.of(0, 0)]

  constructor(seed: number, tally: Tally) {
    this.#random = new Random(seed)
    this.#tally = tally
  }

  async run(cases: number): Promise<void> {
    try {
      await this.#begin()
      const neighbour = await this.#neighbour()
      for (let index = 0; index < cases; index++) await this.#attack()
      await this.#end(neighbour)
    } catch (error) {
      throw new Error(`after:\n${this.#story.slice(-12).join('\n')}`, { cause: error })
    }
  }

  async #begin(): Promise<void> {
    await this.#server.open()
    for (const name of NAMES) {
      const reader = this.#server.connect()
      const joined = await reader.ask('join', { document: name, clientId: 1, key: 'k'.repeat(16) })
      this.#targets.push({
        name,
        world: new RandomWorld(this.#random.below(2 ** 31)),
        reader,
        lease: await this.#server.lease(name),
        handle: joined['document'] as number,
        epoch: joined['epoch'] as string,
        relayed: [],
        position: 0,
        applied: 0,
        isForged: false,
      })
    }
    for (let index = 0; index < ATTACKERS; index++) await this.#addAttacker(index)
  }

  async #addAttacker(index: number): Promise<void> {
    const attacker = this.#server.connect()
    this.#attackers[index] = attacker
    for (const { name } of this.#targets)
      await attacker.ask('join', { document: name, clientId: 100 + index, key: 'a'.repeat(16) })
  }

  async #neighbour(): Promise<{ reader: FuzzConnection; log: string }> {
    const [writer, reader] = [this.#server.connect(), this.#server.connect()]
    const join = { document: NEIGHBOUR, key: 'n'.repeat(16) }
    const { document } = await writer.ask('join', { ...join, clientId: 7 })
    await writer.ask('update', document, Uint8Array.from([1, 1, 5, 0, 4, 1, 1, 116, 1, 97, 0]))
    await reader.ask('join', { ...join, clientId: 8 })
    await writer.ask('awareness', document, encodePresence({ clientId: 7, clock: 1, state: {} }))
    while (reader.sent.length === 0) await turn()
    reader.sent.length = 0
    return { reader, log: await this.#server.log(NEIGHBOUR) }
  }

  async #attack(): Promise<void> {
    const random = this.#random
    const target = random.pick(this.#targets)
    // Several at once, some of them not waited for by the sender.
    const burst = random.chance(0.2) ? 1 + random.below(4) : 1
    const answers: Promise<void>[] = []
    for (let index = 0; index < burst; index++) answers.push(this.#request(target))
    await Promise.all(answers)
    for (const each of this.#targets) await this.#follow(each)
    if (this.#server.errors.length > 0)
      throw new Error('the server logged an error', { cause: this.#server.errors[0] })
  }

  async #request(target: Target): Promise<void> {
    const random = this.#random
    const attacker = random.pick(this.#attackers)
    const way = random.below(100)
    if (way < 22) return this.#sendHonest(target, attacker)
    if (way < 42) return this.#send(attacker, 'update', [this.#handle(target), this.#bytes(target)])
    if (way < 52) return this.#sendInChunks(target, attacker)
    if (way < 62) return this.#send(attacker, 'awareness', [this.#handle(target), this.#presence()])
    if (way < 72) return this.#send(attacker, 'join', [this.#join(target)])
    if (way < 80) return this.#send(attacker, 'pull', [this.#handle(target), this.#pull(target)])
    if (way < 84) return this.#send(attacker, 'leave', [this.#handle(target), this.#number()])
    if (way < 86) return this.#send(attacker, 'check', [this.#handle(target), this.#check(target)])
    if (way < 88) return this.#send(attacker, 'token', [random.pick<unknown>(['a token', '', 7])])
    if (way < 91) {
      this.#story.push('reconnect')
      attacker.accepted.handleDisconnect()
      return this.#addAttacker(this.#attackers.indexOf(attacker))
    }
    const events = Object.keys(CLIENT_EVENTS) as ClientEvent[]
    const args = Array.from({ length: random.below(5) }, () => this.#junk(target, 3))
    return this.#send(attacker, random.pick(events), args)
  }

  /** What a real client sends is taken, as long as nobody has used its client id. */
  async #sendHonest(target: Target, attacker: FuzzConnection): Promise<void> {
    const update = target.world.nextUpdate()
    this.#donors.push(update)
    if (this.#donors.length > 20) this.#donors.shift()
    const joined = await attacker.ask('join', {
      document: target.name,
      clientId: 100 + this.#attackers.indexOf(attacker),
      key: 'a'.repeat(16),
    })
    const answer =
      joined.ok && update.length <= FUZZ_LIMITS.maxUpdateBytes
        ? await this.#ask(attacker, 'update', [joined['document'], update])
        : null
    if (answer?.ok === true) return
    // It was not sent, or left the document in the same burst: what the replica makes next lacks this one.
    const isLost = answer === null || answer.code === 'not-joined'
    if (!isLost && !target.isForged)
      throw new Error(`an honest update was refused: ${answer.code} ${String(answer['message'])}`)
    target.isForged = true
  }

  async #sendInChunks(target: Target, attacker: FuzzConnection): Promise<void> {
    const random = this.#random
    const bytes = random.chance(0.5) ? random.pick(this.#donors) : this.#bytes(target)
    const upload = random.below(3)
    const handle = this.#handle(target)
    for (let offset = 0; offset < bytes.length;) {
      const length = 1 + random.below(bytes.length - offset)
      const chunk = {
        upload: random.chance(0.05) ? this.#number() : upload,
        offset: random.chance(0.05) ? this.#number() : offset,
        size: random.chance(0.05) ? this.#number() : bytes.length,
      }
      await this.#send(attacker, 'chunk', [handle, chunk, bytes.subarray(offset, offset + length)])
      offset += length
    }
    target.isForged = true
    await this.#send(attacker, 'update', [handle, { upload }])
  }

  #handle(target: Target): unknown {
    return this.#random.chance(0.95) ? target.handle : this.#junk(target, 1)
  }

  #bytes(target: Target): Uint8Array {
    const random = this.#random
    target.isForged = true
    if (random.chance(0.02)) return new Uint8Array(FUZZ_LIMITS.maxUpdateBytes + random.below(2))
    if (random.chance(0.1)) return random.pick(this.#donors)
    const state = Y.encodeStateAsUpdate(target.world.server)
    if (random.chance(0.4)) return forgeRandomly(random, target.lease.document.index, state)
    const update = random.chance(0.2) ? state : random.pick(this.#donors)
    return random.chance(0.05)
      ? Y.convertUpdateFormatV1ToV2(update)
      : mutate(random, update, this.#donors)
  }

  #presence(): Uint8Array {
    const random = this.#random
    const ids = random.pick([1, 1, 1, 2, 33])
    const states = Array.from({ length: ids }, () => ({
      clientId: random.pick([100, 101, 100, 1, random.below(2 ** 31)]),
      clock: random.below(2 ** 31),
      state: random.pick([{}, null, { user: { name: 'x'.repeat(random.below(250)) } }, { a: [1] }]),
    }))
    try {
      const sound = encodePresence(...states)
      return random.chance(0.5) ? sound : mutate(random, sound, this.#donors)
    } catch {
      return Uint8Array.of(1)
    }
  }

  #join(target: Target): unknown {
    const random = this.#random
    const request: Record<string, unknown> = {
      document: random.pick([target.name, target.name, 'third', 'constructor', 'a\u0000', '', 7]),
      clientId: random.pick([100, 101, 1, this.#number()]),
      key: random.pick(['a'.repeat(16), 'a'.repeat(16), 'other'.repeat(5), '', 1]),
    }
    if (random.chance(0.4)) request['epoch'] = random.pick([target.epoch, target.epoch, 'x', '', 1])
    if (random.chance(0.4)) request['seq'] = random.pick([target.position, this.#number()])
    const known = Y.encodeStateVector(target.world.server)
    if (random.chance(0.6))
      request['stateVector'] = random.chance(0.5) ? known : mutate(random, known, this.#donors)
    if (random.chance(0.1)) request[random.pick(Object.keys(request))] = this.#junk(target, 2)
    return request
  }

  #pull(target: Target): unknown {
    const random = this.#random
    const epoch = random.chance(0.9) ? target.epoch : this.#junk(target, 1)
    if (random.chance(0.6))
      return { epoch, after: random.pick([0, target.position, this.#number()]) }
    const { snapshot } = target.lease.document
    return {
      epoch,
      snapshot: random.chance(0.6) ? snapshot?.seq : this.#number(),
      chunk: random.pick([0, 1, this.#number()]),
    }
  }

  #check(target: Target): unknown {
    const random = this.#random
    const { document } = target.lease
    return {
      epoch: random.chance(0.9) ? target.epoch : this.#junk(target, 1),
      seq: random.pick([document.head, target.position, this.#number()]),
      digest: random.pick<unknown>([document.index.digest(), new Uint8Array(16), this.#number()]),
      healed: random.pick<unknown>([true, false, 1]),
    }
  }

  #number(): unknown {
    const { below, pick } = {
      below: (limit: number) => this.#random.below(limit),
      pick: <Choice>(choices: readonly Choice[]) => this.#random.pick(choices),
    }
    return pick<unknown>([
      ...[0, 1, -1, 0.5, -0, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300, 1n],
      ...['1', null, below(10), below(1000), below(2 ** 31)],
    ])
  }

  /** Anything that a packet can hold, and a few things that only a caller can. */
  #junk(target: Target, depth: number): unknown {
    const random = this.#random
    const inside = (): unknown => (depth === 0 ? 0 : this.#junk(target, depth - 1))
    return random.pick<() => unknown>([
      () => this.#number(),
      () => target.handle,
      () => undefined,
      () => true,
      () => random.pick(['', 'draft', '__proto__', 'x'.repeat(600), '\ud800']),
      () => random.pick(this.#donors),
      () => Buffer.alloc(random.below(20), 0xff),
      () => new Uint16Array(3),
      () => new ArrayBuffer(4),
      () => [inside(), inside()],
      () => ({ upload: inside(), offset: inside(), size: inside() }),
      () => ({ document: inside(), clientId: inside(), key: inside(), epoch: inside() }),
      () => ({ epoch: target.epoch, after: inside() }),
      () => JSON.parse('{"__proto__":{"upload":1}}') as unknown,
      () => Object.create(null) as unknown,
      () => new Date(NaN),
    ])()
  }

  async #send(attacker: FuzzConnection, event: ClientEvent, args: unknown[]): Promise<void> {
    if (this.#random.chance(0.1)) {
      this.#story.push(`${event} ${show(args)}, nobody waits`)
      this.#tally.cases++
      attacker.accepted.receive(event, args, null)
    } else await this.#ask(attacker, event, args)
  }

  async #ask(attacker: FuzzConnection, event: ClientEvent, args: unknown[]): Promise<FuzzAnswer> {
    this.#tally.cases++
    const line = this.#story.push(`${event} ${show(args)}`) - 1
    const answer = await attacker.ask(event, ...args)
    this.#story[line] += ` -> ${answer.ok ? 'ok' : answer.code}`
    const key = `${event}: ${answer.ok ? 'ok' : answer.code}`
    this.#tally.answers.set(key, (this.#tally.answers.get(key) ?? 0) + 1)
    if (answer.ok) return answer
    if (!isErrorCode(answer.code) || answer.code === 'internal-error')
      throw new Error(`${event} was answered with ${answer.code}: ${String(answer['message'])}`)
    if (answer.retry !== ERROR_CODES[answer.code])
      throw new Error(`${answer.code}: ${answer.retry}`)
    return answer
  }

  /** The reader of a document applies what it was relayed, and the index is what Yjs makes of it. */
  async #follow(target: Target): Promise<void> {
    const { world, reader, lease } = target
    for (
      let turns = 0;
      target.position < lease.document.head || !lease.document.isSettled;
      turns++
    ) {
      // The reader hears within a few turns of the event loop, or never.
      if (turns > 10_000)
        throw new Error(`the reader is at ${target.position} of ${lease.document.head}`)
      await turn()
      for (; target.applied < reader.sent.length; target.applied++) {
        const { event, args } = reader.sent[target.applied]!
        if (event === 'closed') throw new Error(`the reader was closed: ${show(args)}`)
        if (event !== 'update') continue
        const [, from, to, update] = args as [number, number, number, Uint8Array]
        if (from > target.position + 1) throw new Error(`the reader missed ${target.position + 1}`)
        target.position = to
        // Throws where an honest peer would.
        world.accept(update)
        target.relayed.push(update)
        this.#tally.accepted++
      }
    }
    reader.sent.length = target.applied = 0
    expectSame(world.server, lease.document.index)
  }

  async #end(neighbour: { reader: FuzzConnection; log: string }): Promise<void> {
    for (const target of this.#targets) {
      await this.#server.fold(target.lease.document)
      await this.#follow(target)
      const { index } = target.lease.document
      // Folding tells the deletions that no update names; then both are exactly the same.
      // In one transaction, as folding does: applied one by one, Yjs itself cleans up formats that became needless.
      const doc = new Y.Doc()
      doc.transact(() => {
        for (const update of target.relayed) Y.applyUpdate(doc, update)
      })
      if (!index.equals(indexOf(doc))) throw new Error('the folded index differs')
      target.lease.release()
    }
    if (neighbour.reader.sent.length > 0) throw new Error('a neighbour was sent something')
    if ((await this.#server.log(NEIGHBOUR)) !== neighbour.log)
      throw new Error("a neighbour's log changed")
    for (const attacker of this.#attackers) attacker.accepted.handleDisconnect()
    await this.#server.close()
    if (this.#server.errors.length > 0)
      throw new Error('the server logged an error', { cause: this.#server.errors[0] })
  }
}

function expectSame(doc: Y.Doc, index: DocumentIndex): void {
  const { pendingStructs, pendingDs } = doc.store
  if (pendingStructs !== null || pendingDs !== null) throw new Error('Yjs left something pending')
  if (hex(Y.encodeStateVector(doc)) !== hex(index.stateVector()))
    throw new Error('the state vectors differ')
  if (!indexOf(doc).dominates(index)) throw new Error('the index has deletions that Yjs has not')
}

function indexOf(doc: Y.Doc): DocumentIndex {
  const index = new DocumentIndex()
  const scan = scanUpdate(Y.encodeStateAsUpdate(doc), index)
  if (scan.verdict !== 'valid') throw new Error(`what Yjs made does not scan: ${scan.message}`)
  index.apply(scan)
  return index
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function show(args: readonly unknown[]): string {
  const shown = JSON.stringify(args, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? hex(value) : value
  })
  return shown.length > 600 ? `${shown.slice(0, 600)}…` : shown
}
