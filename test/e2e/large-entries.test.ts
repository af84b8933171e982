import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { levelStorage } from 'y-rooms/server'
import { startProxy, type CuttableProxy, type ProxyOptions } from '../support/cuttable-proxy.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { gatedStorage } from '../support/gated-storage.ts'
import { RawClient } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { isWebSocketBlocked } from '../support/transport.ts'

const MIB = 1024 * 1024
const CHUNK = 256 * 1024

let server: RunningServer
let storage: ReturnType<typeof gatedStorage>
const closing: (() => void | Promise<void>)[] = []

beforeEach(async () => {
  storage = gatedStorage(levelStorage(await tempDirectory()))
  // A message that needs longer than ten seconds ends its connection here. Nothing is folded: entries stay what they are.
  server = await startServer(storage, {
    pingIntervalMs: 1000,
    pingTimeoutMs: 9000,
    compactAfterBytes: 1024 * MIB,
    compactAfterEntries: 1_000_000,
  })
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await server.close()
})

async function startLine(options: ProxyOptions = {}): Promise<CuttableProxy> {
  const line = await startProxy(Number(new URL(server.url).port), options)
  closing.push(() => line.close())
  return line
}

interface Visit {
  readonly provider: SocketIOProvider
  readonly doc: Y.Doc
  /** Why each of its connections has ended. */
  readonly ends: string[]
  /** Received and total, as one line each. */
  readonly progress: { received: number; total: number }[]
}

function open(url: string): Visit {
  const doc = new Y.Doc()
  const provider = new SocketIOProvider(url, 'large', doc, { socketIo: {}, maxBackoffTime: 200 })
  closing.push(() => {
    provider.destroy()
    doc.destroy()
  })
  const [ends, progress]: [string[], Visit['progress']] = [[], []]
  provider.on('connection-close', ({ reason }) => ends.push(reason))
  provider.on('progress', (event) => progress.push(event))
  return { provider, doc, ends, progress }
}

/** Text that does not compress. */
const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64')

const bodyOf = ({ doc }: Visit): Y.Text => doc.getText('body')

describe('a log entry that is too large for one message', () => {
  test('T20 T21 [PULL4] reaches who is there over a slow line without holding up its pings, in order with what follows', async () => {
    const line = await startLine({ bytesPerSecond: 0.75 * MIB })
    const [writer, reader] = [open(server.url), open(line.url)]
    await Promise.all([writer.provider.whenSynced, reader.provider.whenSynced])
    bodyOf(writer).insert(0, noise(10 * MIB))
    await writer.provider.whenSaved()
    bodyOf(writer).insert(0, 'after it: ')
    bodyOf(reader).insert(0, 'meanwhile: ')
    await reader.provider.whenSaved()
    await expect.poll(() => bodyOf(reader).length).toBe(10 * MIB + 21)
    await expect.poll(() => bodyOf(writer).length).toBe(10 * MIB + 21)
    expectEqualDocuments(reader.doc, writer.doc)
    expect([reader.ends, writer.ends]).toEqual([[], []])
    expect(reader.progress.length).toBeGreaterThan(20)
    expect(reader.progress[0]?.received).toBe(0)
    expect(reader.progress.at(-1)?.received).toBe(reader.progress.at(-1)?.total)
  })

  test('T21 [PULL4] [SYNC6] reaches a newcomer whose line breaks, each piece once, and its progress does not fall', async () => {
    const writer = open(server.url)
    await writer.provider.whenSynced
    for (let paste = 0; paste < 2; paste++) {
      bodyOf(writer).insert(0, noise(4 * MIB))
      await writer.provider.whenSaved()
      bodyOf(writer).insert(0, 'between ')
      await writer.provider.whenSaved()
    }
    const line = await startLine()
    line.cutAt('down', [3 * MIB, 6 * MIB])
    const reader = open(line.url)
    await reader.provider.whenSynced
    await expect.poll(() => bodyOf(reader).length).toBe(bodyOf(writer).length)
    expectEqualDocuments(reader.doc, writer.doc)
    const shares = reader.progress.map(({ received }) => received)
    expect(shares).toEqual([...shares].sort((left, right) => left - right))
    expect(reader.progress.at(-1)?.received).toBe(reader.progress.at(-1)?.total)
    if (isWebSocketBlocked) return
    expect(reader.ends).toHaveLength(2)
    expect(line.passedBytes).toBeLessThan(8 * MIB + 2 * 4.5 * CHUNK + MIB / 2)
  })

  test('[PULL4] is read from the disk once, however many read it', async () => {
    const writer = open(server.url)
    await writer.provider.whenSynced
    bodyOf(writer).insert(0, noise(4 * MIB))
    await writer.provider.whenSaved()
    const reads: number[] = []
    const { readEntries } = storage
    storage.readEntries = (...args) => {
      reads.push(args[2])
      return readEntries.call(storage, ...args)
    }
    const readers = Array.from({ length: 5 }, () => open(server.url))
    for (const { provider } of readers) await provider.whenSynced
    for (const reader of readers) expectEqualDocuments(reader.doc, writer.doc)
    expect(reads).toHaveLength(1)
  })

  test('[PULL4] comes whole to a client that does not say that it takes pieces; small ones always do', async () => {
    const writer = open(server.url)
    await writer.provider.whenSynced
    bodyOf(writer).insert(0, 'small')
    await writer.provider.whenSaved()
    const client = await RawClient.connect(server.url)
    closing.push(() => client.close())
    const { document, epoch, seq, head } = await client.join('large', { clientId: 1 })
    expect([seq, head]).toEqual([1, 1])
    bodyOf(writer).insert(0, noise(2 * MIB))
    await writer.provider.whenSaved()
    // What it hears is that there is more: an update that begins behind the log's end.
    await client.until(() => client.updates.length > 0)
    expect(client.updates).toMatchObject([{ from: 3, to: 2 }])
    expect(new Uint8Array(client.updates[0]!.update)).toEqual(new Uint8Array([0, 0]))
    const whole = await client.pull(document, { epoch, after: 1 })
    if (!whole.ok) throw new Error(whole.code)
    expect([whole.seq, whole.updates[0]!.length > 2 * MIB]).toEqual([2, true])
    const named = await client.pull(document, { epoch, after: 1, chunked: true })
    if (!named.ok) throw new Error(named.code)
    expect(named).toMatchObject({
      seq: 1,
      updates: [],
      entry: { seq: 2, bytes: whole.updates[0]!.length, chunkBytes: CHUNK },
    })
    const pieces: Uint8Array[] = []
    for (let chunk = 0; chunk * CHUNK < named.entry!.bytes; chunk++) {
      const piece = await client.pull(document, { epoch, entry: 2, chunk })
      if (!piece.ok) throw new Error(piece.code)
      pieces.push(...piece.updates)
    }
    expect(Buffer.concat(pieces).equals(Buffer.from(whole.updates[0]!))).toBe(true)
    const refused = async (request: Parameters<RawClient['pull']>[1]): Promise<string> => {
      const answer = await client.pull(document, request)
      return answer.ok ? 'given' : answer.code
    }
    expect(await refused({ epoch, entry: 2, chunk: 1000 })).toBe('cursor-too-old')
    expect(await refused({ epoch, entry: 1, chunk: 0 })).toBe('cursor-too-old')
    expect(await refused({ epoch, entry: 9, chunk: 0 })).toBe('cursor-too-old')
    expect(await client.pull(document, { epoch, after: 0, chunked: true })).toMatchObject({
      seq: 1,
    })
    const late = await client.join('large', { clientId: 2 })
    expect([late.seq, late.head]).toEqual([1, 2])
  })
})
