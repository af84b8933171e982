import * as Y from 'yjs'
import { refusal, type ErrorCode, type JoinAnswer, type Refusal } from '../../protocol/index.ts'
import type {
  Network,
  Notices,
  Outcome,
  RequestName,
  Requests,
  Wire,
  WireListener,
  WireTarget,
} from '../../client/wire.ts'
import { ProviderError } from '../../client/index.ts'

/** A request that the client made and the script has not answered yet. */
export interface OpenRequest<Name extends RequestName = RequestName> {
  readonly name: Name
  readonly args: Requests[Name]['arguments']
  answer(outcome: Outcome<Name>): void
  refuse(code: ErrorCode): void
}

/** One wire in the hands of a test: it decides when it opens, answers and breaks. */
export class ScriptedWire implements Wire {
  readonly target: WireTarget
  readonly #listener: WireListener
  /** In order of arrival. */
  readonly requests: OpenRequest[] = []
  readonly notices: { readonly name: keyof Notices; readonly args: readonly unknown[] }[] = []
  state: 'opening' | 'open' | 'over' = 'opening'
  isClosedByClient = false

  constructor(target: WireTarget, listener: WireListener) {
    this.target = target
    this.#listener = listener
  }

  request<Name extends RequestName>(
    name: Name,
    args: Requests[Name]['arguments'],
    handleAnswer: (outcome: Outcome<Name>) => void,
  ): void {
    if (this.state !== 'open') throw new Error(`${name} on a wire that is ${this.state}`)
    const answer = (outcome: Outcome<Name>): void => {
      if (this.state === 'open') handleAnswer(outcome)
    }
    const request: OpenRequest<Name> = {
      name,
      args,
      answer,
      refuse: (code) => answer(refusal(code, `scripted ${code}`) satisfies Refusal),
    }
    this.requests.push(request as unknown as OpenRequest)
  }

  send<Name extends keyof Notices>(name: Name, args: Notices[Name]): void {
    if (this.state !== 'open') throw new Error(`${name} on a wire that is ${this.state}`)
    this.notices.push({ name, args })
  }

  close(): void {
    this.state = 'over'
    this.isClosedByClient = true
  }

  open(): void {
    this.state = 'open'
    this.#listener.handleOpen()
  }

  fail(code: ErrorCode | 'connection-failed', retry: ProviderError['retry'] = 'backoff'): void {
    this.state = 'over'
    this.#listener.handleOpenFailed(new ProviderError(code, `scripted ${code}`, { retry }))
  }

  /** The network breaks. */
  break(): void {
    this.state = 'over'
    this.#listener.handleDown('transport close')
  }

  relay(handle: number, from: number, to: number, update: Uint8Array): void {
    if (this.state === 'open') this.#listener.handleUpdate(handle, from, to, update)
  }

  sendAwareness(handle: number, update: Uint8Array): void {
    if (this.state === 'open') this.#listener.handleAwareness(handle, update)
  }

  sendClosed(handle: number, code: ErrorCode): void {
    const { retry, message } = refusal(code, `scripted ${code}`)
    if (this.state === 'open') this.#listener.handleClosed(handle, { code, retry, message })
  }

  sendAccess(handle: number, access: 'read' | 'write'): void {
    if (this.state === 'open')
      this.#listener.handleAccess(handle, { access, code: 'access-changed' })
  }

  sendExpiring(expiresInMs: number): void {
    if (this.state === 'open') this.#listener.handleExpiring(expiresInMs)
  }

  /** Takes the oldest open request of this kind; fails if there is none. */
  take<Name extends RequestName>(name: Name): OpenRequest<Name> {
    const index = this.requests.findIndex((request) => request.name === name)
    const [request] = index < 0 ? [] : this.requests.splice(index, 1)
    if (request === undefined) throw new Error(`the client did not request ${name}`)
    return request as unknown as OpenRequest<Name>
  }

  count(name: RequestName): number {
    return this.requests.filter((request) => request.name === name).length
  }

  takeNotices(name: keyof Notices): (readonly unknown[])[] {
    const taken = this.notices.filter((notice) => notice.name === name).map(({ args }) => args)
    this.notices.splice(0, this.notices.length, ...this.notices.filter((n) => n.name !== name))
    return taken
  }
}

export class ScriptedNetwork {
  readonly wires: ScriptedWire[] = []

  readonly connect: Network = (target, listener) => {
    const wire = new ScriptedWire(target, listener)
    this.wires.push(wire)
    return wire
  }

  /** The latest wire. */
  get wire(): ScriptedWire {
    const wire = this.wires.at(-1)
    if (wire === undefined) throw new Error('the client did not connect')
    return wire
  }
}

export const HANDLE = 7
export const LIMITS = { updateBytes: 4_000_000, chunkBytes: 256 * 1024, presenceBytes: 4096 }

/** The answer of a server that holds nothing, changed where a test says so. */
export function joined(changes: Partial<JoinAnswer> = {}): JoinAnswer {
  const seq = changes.seq ?? 0
  return {
    ok: true,
    document: HANDLE,
    epoch: 'epoch-1',
    seq,
    head: seq,
    access: 'write',
    stateVector: new Uint8Array([0]),
    updates: [],
    limits: LIMITS,
    ...changes,
  }
}

/** A server's document that somebody else writes: its log, entry by entry. */
export class OtherEditor {
  readonly doc = new Y.Doc()
  readonly log: Uint8Array[] = []

  constructor() {
    this.doc.on('update', (update: Uint8Array) => this.log.push(update))
  }

  type(text: string): Uint8Array {
    const body = this.doc.getText('body')
    body.insert(body.length, text)
    return this.log.at(-1) as Uint8Array
  }

  get stateVector(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }
}
