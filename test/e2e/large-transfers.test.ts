import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from 'y-rooms/client'
import { startProxy, type CuttableProxy, type ProxyOptions } from '../support/cuttable-proxy.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'
import { isWebSocketBlocked } from '../support/transport.ts'
import { Random } from '../update/random-world.ts'

const MIB = 1024 * 1024

let directory: string
let server: RunningServer
const closing: (() => void | Promise<void>)[] = []

beforeEach(async () => {
  directory = await makeTempDirectory()
  // Shorter than the slow transfer as a whole, which would end its connection if it held a ping up.
  server = await startServer(directory, { pingIntervalMs: 1000, pingTimeoutMs: 12_000 })
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await server.close()
  await removeDirectory(directory)
})

async function startLine(options: ProxyOptions = {}): Promise<CuttableProxy> {
  const line = await startProxy(Number(new URL(server.url).port), options)
  closing.push(() => line.close())
  return line
}

function open(url: string, options: ProviderOptions & { doc?: Y.Doc } = {}): SocketIOProvider {
  const { doc = new Y.Doc(), ...rest } = options
  const provider = new SocketIOProvider(url, 'large', doc, {
    socketIo: {},
    maxBackoffTime: 200,
    ...rest,
  })
  closing.push(() => {
    provider.destroy()
    doc.destroy()
  })
  return provider
}

/** Why each of its connections has ended so far. */
function endsOf(provider: SocketIOProvider): string[] {
  const ends: string[] = []
  provider.on('connection-close', ({ reason }) => ends.push(reason))
  return ends
}

/** A document of about this size that does not compress, folded into a snapshot. */
async function writeLarge(bytes: number): Promise<Y.Doc> {
  const writer = open(server.url)
  const text = writer.doc.getText('body')
  for (let size = 0; size < bytes; size += MIB)
    text.insert(text.length, Buffer.alloc(MIB * 0.75, String(size)).toString('base64'))
  await writer.whenSaved()
  await server.documents.compact('large')
  return writer.doc
}

describe('large transfers', () => {
  test('T21 a 20 MB document arrives over a line of 1 MB/s that breaks three times, and nothing is fetched twice', async () => {
    const written = await writeLarge(20 * MIB)
    const line = await startLine({ bytesPerSecond: MIB })
    const seed = (Math.random() * 2 ** 32) >>> 0
    const random = new Random(seed)
    // One in each third, and none so early that it falls into a handshake.
    line.cutAt(
      'down',
      [0, 1, 2].map((third) => third * 6.5 * MIB + MIB / 4 + random.below(6 * MIB)),
    )
    const reader = open(line.url)
    const progress: { received: number; total: number }[] = []
    const ends = endsOf(reader)
    reader.on('progress', (event) => progress.push(event))
    await reader.whenSynced
    expectEqualDocuments(reader.doc, written)
    const received = progress.map((event) => event.received)
    expect(received, `seed ${seed}`).toEqual([...received].sort((a, b) => a - b))
    expect(received.filter((bytes) => bytes === 0)).toHaveLength(1)
    expect(progress.at(-1)!.received).toBe(progress.at(-1)!.total)
    // Cut three times, and never given up by a ping.
    expect(ends, `seed ${seed}`).toHaveLength(3)
    expect(ends).not.toContain('ping timeout')
    // Long polling makes many connections, and writes bytes as text.
    if (isWebSocketBlocked) return
    expect(line.connections, `seed ${seed}: ${ends.join()}`).toBe(4)
    // Of each connection at most what was outstanding is fetched again: four chunks of 256 KiB.
    expect(line.passedBytes).toBeLessThan(progress.at(-1)!.total + 3 * 4.5 * 256 * 1024)
  })

  test('T20 a paste of 50 MB arrives whole though the line breaks twice, and what had arrived is not sent again', async () => {
    const line = await startLine()
    const writer = open(line.url)
    await writer.whenSynced
    const seed = (Math.random() * 2 ** 32) >>> 0
    const random = new Random(seed)
    line.cutAt(
      'up',
      [0, 1].map((half) => half * 25 * MIB + MIB / 4 + random.below(24 * MIB)),
    )
    const progress: number[] = []
    writer.on('upload-progress', ({ sent }) => progress.push(sent))
    const paste = Buffer.alloc(37.5 * MIB, 'pasted ').toString('base64')
    writer.doc.getText('body').insert(0, paste)
    await writer.whenSaved()
    expect(progress, `seed ${seed}`).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBeGreaterThan(50 * MIB)
    // In pieces for the reader as well.
    await server.documents.compact('large')
    const reader = open(server.url)
    await reader.whenSynced
    expectEqualDocuments(reader.doc, writer.doc)
    if (isWebSocketBlocked) return
    // The answers that were lost, four of 256 KiB at most each time, and small change.
    expect(line.sentBytes, `seed ${seed}`).toBeLessThan(progress.at(-1)! + 2 * 5 * 256 * 1024)
  })

  test('T20 over the limit: refused by name and number, kept, no reconnection, and the editor goes on', async () => {
    await server.close()
    server = await startServer(directory, { maxUpdateBytes: 2 * MIB })
    const line = await startLine()
    const [writer, other] = [open(line.url), open(server.url)]
    const ends = endsOf(writer)
    await Promise.all([writer.whenSynced, other.whenSynced])
    writer.doc.getText('body').insert(0, 'p'.repeat(1_200_000))
    await writer.whenSaved()
    const rejected = new Promise<{ update: Uint8Array; message: string }>((resolve) =>
      writer.once('rejected', ({ update, error }) =>
        resolve({ update, message: `${error.code}: ${error.message}` }),
      ),
    )
    writer.doc.getText('body').insert(0, 'q'.repeat(3 * MIB))
    const { update, message } = await rejected
    expect(message).toContain(`update-too-large: an update may have ${2 * MIB} bytes`)
    expect(writer.saveState).toBe('rejected')
    expect(update.length).toBeGreaterThan(3 * MIB)
    other.doc.getText('notes').insert(0, 'still here')
    await expect.poll(() => writer.doc.getText('notes').toJSON()).toBe('still here')
    writer.doc.getText('notes').insert(0, 'me too, ')
    expect(writer.pendingUpdate()!.length).toBeGreaterThan(update.length)
    expect([ends, writer.status]).toEqual([[], 'connected'])
    // A server that takes more takes it, when the client comes back.
    await server.close()
    server = await startServer(directory, { maxUpdateBytes: 8 * MIB })
    line.target = Number(new URL(server.url).port)
    await writer.whenSynced
    await expect.poll(() => writer.saveState).toBe('saved')
    const reader = open(server.url)
    await reader.whenSynced
    expectEqualDocuments(reader.doc, writer.doc)
  })

  test('T20 a Y.Doc over the limit before the first join is refused by name and number, and stays whole', async () => {
    await server.close()
    server = await startServer(directory, { maxUpdateBytes: 2 * MIB })
    const doc = new Y.Doc()
    doc.getText('body').insert(0, 'p'.repeat(3 * MIB))
    const line = await startLine()
    const writer = open(line.url, { doc })
    const ends = endsOf(writer)
    await expect.poll(() => writer.saveState).toBe('rejected')
    expect(writer.getSnapshot().error).toMatchObject({
      code: 'update-too-large',
      message: expect.stringContaining(`an update may have ${2 * MIB} bytes`),
    })
    expect([ends, writer.status, writer.synced]).toEqual([[], 'connected', true])
    const copy = new Y.Doc()
    Y.applyUpdate(copy, writer.pendingUpdate()!)
    expectEqualDocuments(copy, doc)
  })
})
