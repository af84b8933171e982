import { readFileSync, readdirSync } from 'node:fs'
import type { RawClient } from '../support/raw-client.ts'

/** One attack as a data file tells it: a request, or packets that no client library would write. */
export type HostileCase = RequestCase | FramesCase

export interface RequestCase {
  readonly name: string
  readonly traps: readonly string[]
  /** Requests that are made first, and succeed. Default: a join of `target` as client 9. */
  readonly before?: readonly (readonly [event: string, ...args: unknown[]])[]
  readonly event: unknown
  readonly args: readonly unknown[]
  /** Default true: somebody waits for the answer. */
  readonly acknowledged?: boolean
  /** An error code, `ok`, or `silence`. */
  readonly expected: string
}

export interface FramesCase {
  readonly name: string
  readonly traps: readonly string[]
  /** `text` and `binary` are engine.io messages (4 = "message" stands before a text), `raw` is a WebSocket message. */
  readonly frames: readonly { text?: unknown; binary?: string; raw?: string }[]
  /** Whether the connection lives on. The server always does. */
  readonly expected: 'alive' | 'disconnected'
}

const corpus = new URL('corpus/', import.meta.url)

export function loadCorpus(): HostileCase[] {
  return readdirSync(corpus)
    .sort()
    .flatMap((file) => JSON.parse(readFileSync(new URL(file, corpus), 'utf8')) as HostileCase[])
}

export const isFramesCase = (hostile: HostileCase): hostile is FramesCase => 'frames' in hostile

/** What a connection has learned; arguments refer to it. */
export interface Learned {
  handle: number
  epoch: string
  readonly handles: Map<string, number>
}

interface Bytes {
  readonly hex: string
  readonly times?: number
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** Makes an argument of its description. */
export function build(value: unknown, learned: Learned): unknown {
  if (Array.isArray(value)) return value.map((element) => build(element, learned))
  if (!isObject(value)) return value
  if ('$handle' in value) return learned.handle
  if ('$handleOf' in value) return learned.handles.get(value['$handleOf'] as string) ?? 0
  if ('$epoch' in value) return learned.epoch
  if ('$hex' in value) return Buffer.from(value['$hex'] as string, 'hex')
  if ('$bytes' in value)
    return Buffer.concat(
      (value['$bytes'] as Bytes[]).map(({ hex, times = 1 }) =>
        Buffer.alloc((hex.length / 2) * times, hex, 'hex'),
      ),
    )
  if ('$text' in value)
    return (value['$text'] as { of: string; times?: number }[])
      .map(({ of, times = 1 }) => of.repeat(times))
      .join('')
  if ('$json' in value) return JSON.parse(value['$json'] as string)
  if ('$join' in value) return { document: value['$join'], clientId: 9, key: 'key-of-the-attacker' }
  return Object.fromEntries(
    Object.entries(value).map(([key, property]) => [key, build(property, learned)]),
  )
}

/** The engine below a client, to write what the client would not. */
interface Engine {
  write(message: string | Buffer): void
  readonly transport: { readonly ws: { send(message: string): void } }
}

export function sendFrames(client: RawClient, { frames }: FramesCase, learned: Learned): void {
  const engine = client.socket.io.engine as unknown as Engine
  for (const { text, binary, raw } of frames) {
    if (raw !== undefined) engine.transport.ws.send(raw)
    // engine.io writes the "4" itself; the data files show it, as docs/protocol.md does not.
    else if (text !== undefined) engine.write((build(text, learned) as string).replace(/^4/, ''))
    else engine.write(Buffer.from(binary ?? '', 'hex'))
  }
}
