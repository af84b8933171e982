import { readAccess, readAnswer, readBytes, readClosed } from '../../client/read-answer.ts'
import { ProviderError, type Network, type Wire, type WireListener } from '../../client/index.ts'
import type { Outcome, RequestName } from '../../client/wire.ts'
import type {
  ChunkRequest,
  JoinAnswer,
  JoinRequest,
  PullAnswer,
  PullRequest,
  ServerToClientEvents,
  SnapshotReference,
} from '../../protocol/index.ts'
import type { ClientEvent } from '../../src/connection/client-events.ts'
import type { Accepted } from '../../src/connection/accepted-connection.ts'
import type { Transport } from '../../src/connection/connection.ts'
import { Outbox } from '../../src/connection/outbox.ts'
import type { Random } from '../update/random-world.ts'
import type { Life, Timeline } from './timeline.ts'

/** What the network does, as shares of 1 unless said otherwise. */
export interface NetworkWeather {
  /** The longest that a message is under way, in milliseconds. */
  latencyMs: number
  /** A message waits much longer than that: a stalled link. */
  stall: number
  /** Messages of a standing connection get lost, doubled or overtaken. Socket.IO over TCP does none of it; a broken proxy might. */
  loss: number
  doubling: number
  overtaking: number
}

/** The server's end: who takes connections at the moment. */
interface Host {
  readonly life: Life
  /** Connections that want to hear of its end. */
  readonly links: Set<{ handleHostDied(): void }>
  accept(transport: Transport, client: string): Accepted
}

/** What passes a wire, for whoever keeps the books. */
export interface Observer {
  handleJoining(clientId: number, name: string): void
  handleJoined(clientId: number, name: string, answer: JoinAnswer): void
  handlePulled(name: string, epoch: string, answer: PullAnswer): void
  handleRelayed(name: string, epoch: string, update: Uint8Array): void
  handleSaved(name: string, epoch: string, update: Uint8Array): void
}

export interface NetworkOptions {
  readonly timeline: Timeline
  readonly random: Random
  readonly weather: NetworkWeather
  readonly outbox: { readonly softBytes: number; readonly hardBytes: number }
  readonly observer: Observer
  /** Null: nobody listens. */
  readonly host: () => Host | null
}

const STALL_FACTOR = 40
const OUTBOX_STALL_MS = 30_000
/** A peer that is gone without a word is noticed when it does not answer pings. */
export const PING_MS = 40_000

type Direction = 'up' | 'down'

/**
 * A bad network loses messages and answers, and doubles messages. It does neither to the beginning and end of a membership, and lets
 * them overtake nothing: unlike a relay they have no next message which would show the hole, and on a connection that stands TCP
 * loses nothing.
 */
type Carried = 'message' | 'answer' | 'membership'

/** All connections of one client computer. */
export class ClientNetwork {
  readonly #options: NetworkOptions
  readonly #client: string
  readonly #life: Life
  readonly #links = new Set<Link>()
  /** Updates that go in chunks, by their secrets: they go on through the next connection. */
  readonly #uploads = new Map<string, Uint8Array>()
  #isCutOff = false

  constructor(client: string, life: Life, options: NetworkOptions) {
    this.#client = client
    this.#life = life
    this.#options = options
  }

  get isCutOff(): boolean {
    return this.#isCutOff
  }

  get openLinks(): number {
    return this.#links.size
  }

  readonly connect: Network = (_target, listener) => {
    const link = new Link(this.#client, this.#life, listener, this.#options, this.#uploads, () =>
      this.#links.delete(link),
    )
    this.#links.add(link)
    link.open(() => this.#isCutOff)
    return link
  }

  /** The connections that stand break, and both ends learn of it at some time. */
  cut(): void {
    for (const link of [...this.#links]) link.breakDown()
  }

  /** No new connection until `plugIn`. */
  cutOff(): void {
    this.#isCutOff = true
    this.cut()
  }

  plugIn(): void {
    this.#isCutOff = false
  }

  /** The client stops reading for a while, and the server's bytes stay with the server. */
  stopReading(ms: number): void {
    for (const link of this.#links) link.stopReading(ms)
  }
}

/** A document as a connection has joined it last. */
interface Joined {
  readonly name: string
  readonly epoch: string
  readonly snapshot: Download | null
  /** The large log entry that was announced last. */
  entry: Download | null
}

/** Something that comes in chunks, as far as it is here. */
interface Download {
  readonly reference: SnapshotReference
  readonly chunks: Map<number, Uint8Array>
}

/** One connection with its two directions. */
class Link implements Wire {
  readonly #client: string
  readonly #clientLife: Life
  readonly #listener: WireListener
  readonly #options: NetworkOptions
  readonly #handleEnd: () => void
  /** What the document handles of this connection stand for. */
  readonly #documents = new Map<number, Joined>()
  readonly #uploads: Map<string, Uint8Array>
  /** Which of them the numbers on this connection stand for. */
  readonly #uploadKeys = new Map<number, string>()
  readonly #lastArrivalMs = { up: 0, down: 0 }
  #state: 'opening' | 'open' | 'over' = 'opening'
  #isOverForServer = false
  #host: Host | null = null
  #accepted: Accepted | null = null
  #outbox: Outbox | null = null
  #silentUntilMs = 0
  /** The cable was pulled: nothing arrives any more, in neither direction. */
  #isBroken = false

  constructor(
    client: string,
    clientLife: Life,
    listener: WireListener,
    options: NetworkOptions,
    uploads: Map<string, Uint8Array>,
    handleEnd: () => void,
  ) {
    this.#client = client
    this.#clientLife = clientLife
    this.#listener = listener
    this.#options = options
    this.#uploads = uploads
    this.#handleEnd = handleEnd
  }

  open(isCutOff: () => boolean): void {
    const { timeline, host } = this.#options
    timeline.schedule(1 + this.#delay(), this.#clientLife, () => {
      if (this.#state !== 'opening') return
      const found = isCutOff() ? null : host()
      if (found === null || !found.life.isAlive) {
        this.#end()
        this.#listener.handleOpenFailed(
          new ProviderError('connection-failed', 'nobody listens in the simulated network'),
        )
        return
      }
      this.#begin(found)
      this.#state = 'open'
      this.#listener.handleOpen()
    })
  }

  request<Name extends RequestName>(
    name: Name,
    args: readonly unknown[],
    handleAnswer: (outcome: Outcome<Name>) => void,
  ): void {
    const sent = structuredClone(args)
    this.#noteRequest(name, sent)
    this.#up(name, sent, (value) => {
      const answer = structuredClone(value)
      this.#outbox?.charge(sizeOf(answer))
      this.#carry('down', answer, 'answer', () => {
        const outcome = readAnswer(name, structuredClone(answer))
        if (outcome.ok) this.#note(name, sent, outcome)
        handleAnswer(outcome)
      })
    })
  }

  send(name: 'awareness' | 'leave', args: readonly unknown[]): void {
    this.#up(name, structuredClone(args), null)
  }

  close(): void {
    if (this.#state === 'open') this.#goodbye()
    this.#end()
  }

  /** The cable is pulled: what is under way is lost, and each end learns of it when it does. */
  breakDown(): void {
    const { timeline, random } = this.#options
    const wasOpen = this.#state === 'open'
    if (!wasOpen) return
    this.#isBroken = true
    this.#end()
    const noticed = (): number => random.below(random.chance(0.5) ? 100 : PING_MS)
    timeline.schedule(noticed(), this.#clientLife, () => this.#listener.handleDown('cut'))
    const host = this.#host as Host
    timeline.schedule(noticed(), host.life, () => this.#disconnectServer())
  }

  stopReading(ms: number): void {
    this.#silentUntilMs = this.#options.timeline.nowMs + ms
  }

  #begin(host: Host): void {
    const { timeline, outbox } = this.#options
    this.#host = host
    this.#outbox = new Outbox({
      ...outbox,
      clock: timeline.serverClock(host.life),
      stallMs: OUTBOX_STALL_MS,
      onStalled: () => {
        this.#disconnectServer()
        this.#downFromServer('transport close')
      },
    })
    this.#accepted = host.accept(
      {
        outbox: this.#outbox,
        disconnect: () => {
          this.#disconnectServer()
          this.#downFromServer('io server disconnect')
        },
        send: (event, args) => {
          const message = structuredClone(args)
          this.#outbox?.charge(sizeOf(message))
          this.#carry('down', message, isMembership(event) ? 'membership' : 'message', () =>
            this.#deliverEvent(event, structuredClone(message)),
          )
        },
      },
      this.#client,
    )
    host.links.add(this)
  }

  /** The server's process is gone: its system closes the connection, and the client hears of it. */
  handleHostDied(): void {
    this.#downFromServer('transport close')
  }

  #downFromServer(reason: string): void {
    const { timeline } = this.#options
    if (this.#state !== 'open') return
    timeline.schedule(this.#delay(), this.#clientLife, () => {
      if (this.#state !== 'open') return
      this.#end()
      this.#listener.handleDown(reason)
    })
  }

  #disconnectServer(): void {
    if (this.#isOverForServer) return
    this.#isOverForServer = true
    this.#accepted?.handleDisconnect()
  }

  #goodbye(): void {
    const host = this.#host as Host
    this.#schedule('up', host.life, () => this.#disconnectServer())
  }

  #up(
    event: ClientEvent,
    args: readonly unknown[],
    answer: ((value: unknown) => void) | null,
  ): void {
    this.#carry('up', args, event === 'join' || event === 'leave' ? 'membership' : 'message', () =>
      this.#accepted?.receive(event, structuredClone(args), answer),
    )
  }

  #carry(direction: Direction, message: unknown, kind: Carried, deliver: () => void): void {
    const { random, weather } = this.#options
    const host = this.#host
    if (this.#state !== 'open' || host === null) return
    const bytes = direction === 'down' ? sizeOf(message) : 0
    const life = direction === 'up' ? host.life : this.#clientLife
    const isLost = kind !== 'membership' && random.chance(weather.loss)
    const arrive = (): void => {
      if (direction === 'down' && host.life.isAlive && !this.#isOverForServer)
        this.#outbox?.discharge(bytes)
      if (isLost) return
      // Under way when the connection broke, or to somebody who is gone.
      if (direction === 'up' ? this.#isOverForServer : this.#state !== 'open') return
      deliver()
    }
    this.#schedule(direction, life, arrive, kind !== 'membership')
    if (kind === 'message' && random.chance(weather.doubling))
      this.#schedule(direction, life, () => {
        if (direction === 'up' ? !this.#isOverForServer : this.#state === 'open') deliver()
      })
  }

  #schedule(direction: Direction, life: Life, run: () => void, mayOvertake = true): void {
    const { timeline, random, weather } = this.#options
    let atMs = timeline.nowMs + this.#delay()
    if (direction === 'down') atMs = Math.max(atMs, this.#silentUntilMs)
    if (!mayOvertake || !random.chance(weather.overtaking))
      atMs = Math.max(atMs, this.#lastArrivalMs[direction])
    this.#lastArrivalMs[direction] = Math.max(this.#lastArrivalMs[direction], atMs)
    timeline.schedule(atMs - timeline.nowMs, life, () => {
      if (!this.#isBroken) run()
    })
  }

  #deliverEvent(event: keyof ServerToClientEvents, args: readonly unknown[]): void {
    const [document, ...rest] = args as [number, ...unknown[]]
    switch (event) {
      case 'update': {
        const [from, to, value] = rest as [number, number, unknown]
        const update = readBytes(value) as Uint8Array
        const known = this.#documents.get(document)
        // Without content it only announces an entry that is read in chunks.
        if (known !== undefined && update.length > 0)
          this.#options.observer.handleRelayed(known.name, known.epoch, update)
        this.#listener.handleUpdate(document, from, to, update)
        return
      }
      case 'awareness':
        this.#listener.handleAwareness(document, readBytes(rest[0]) as Uint8Array)
        return
      case 'closed': {
        const closed = readClosed(rest[0])
        if (closed !== null) this.#listener.handleClosed(document, closed)
        return
      }
      case 'access': {
        const change = readAccess(rest[0])
        if (change !== null) this.#listener.handleAccess(document, change)
        return
      }
      case 'expiring':
        this.#listener.handleExpiring(document)
    }
  }

  #noteRequest(name: RequestName, args: readonly unknown[]): void {
    if (name === 'join') {
      const { clientId, document } = args[0] as JoinRequest
      this.#options.observer.handleJoining(clientId, document)
    }
    if (name !== 'chunk') return
    const { upload, offset, size, key = '' } = args[1] as ChunkRequest
    const bytes = this.#uploads.get(key) ?? new Uint8Array(size)
    bytes.set(args[2] as Uint8Array, offset)
    this.#uploads.set(key, bytes)
    this.#uploadKeys.set(upload, key)
  }

  #note(name: RequestName, args: readonly unknown[], answer: object): void {
    const { observer } = this.#options
    if (name === 'join') {
      const joined = answer as JoinAnswer
      const { clientId, document: name } = args[0] as JoinRequest
      this.#documents.set(joined.document, {
        name,
        epoch: joined.epoch,
        snapshot: joined.snapshot === undefined ? null : download(joined.snapshot),
        entry: null,
      })
      observer.handleJoined(clientId, name, joined)
      return
    }
    const document = this.#documents.get(args[0] as number)
    if (document === undefined) return
    if (name === 'pull') {
      const pulled = withWhole(document, args[1] as PullRequest, answer as PullAnswer)
      if (pulled !== null) observer.handlePulled(document.name, document.epoch, pulled)
    }
    if (name !== 'update') return
    const { upload } = args[1] as { upload?: number }
    const key = this.#uploadKeys.get(upload ?? 0) ?? ''
    const update = upload === undefined ? args[1] : this.#uploads.get(key)
    observer.handleSaved(document.name, document.epoch, update as Uint8Array)
  }

  #end(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#host?.links.delete(this)
    this.#handleEnd()
  }

  #delay(): number {
    const { random, weather } = this.#options
    const factor = random.chance(weather.stall) ? STALL_FACTOR : 1
    return random.below(weather.latencyMs * factor + 1)
  }
}

function download(reference: SnapshotReference): Download {
  return { reference, chunks: new Map() }
}

/** What comes in chunks is something one can hold the server to when its last chunk is there; null before. */
function withWhole(joined: Joined, request: PullRequest, answer: PullAnswer): PullAnswer | null {
  if (answer.entry !== undefined) joined.entry = download(answer.entry)
  if (!('chunk' in request)) return answer
  const [wanted, seq] =
    'entry' in request ? [joined.entry, request.entry] : [joined.snapshot, request.snapshot]
  if (wanted === null || wanted.reference.seq !== seq) return null
  const { reference, chunks } = wanted
  chunks.set(request.chunk, answer.updates[0] as Uint8Array)
  if (chunks.size * reference.chunkBytes < reference.bytes) return null
  const inOrder = [...chunks].sort(([one], [other]) => one - other).map(([, bytes]) => bytes)
  return { ...answer, updates: [new Uint8Array(Buffer.concat(inOrder))] }
}

/** What TCP neither loses nor reorders, and no later message makes up for. */
function isMembership(event: keyof ServerToClientEvents): boolean {
  return event === 'closed' || event === 'access'
}

/** About the bytes of a message. */
function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length + 16
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + sizeOf(item), 8)
  if (typeof value === 'object' && value !== null)
    return Object.values(value).reduce((sum: number, item) => sum + sizeOf(item), 8)
  return 8
}
