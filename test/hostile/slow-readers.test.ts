import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import { openReader, type KernelReader } from '../support/kernel-reader.ts'
import { residentBytes } from '../support/process-memory.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

const KIB = 1024
const MIB = 1024 * KIB

const running: { server: ServerProcess; directory: string; readers: KernelReader[] }[] = []

afterEach(async () => {
  for (const { server, directory, readers } of running.splice(0)) {
    for (const reader of readers) reader.close()
    await server.kill()
    await removeDirectory(directory)
  }
})

/** A server of its own, a healthy reader, and a writer that has an acknowledgement for each update before the next. */
class Scene {
  readonly server: ServerProcess
  readonly writer: RawClient
  readonly healthy: RawClient
  readonly readers: KernelReader[]
  readonly #doc = new Y.Doc()
  #handle = 0
  /** The most memory that the server's process had, sampled after each update. */
  peakBytes = 0

  private constructor(
    server: ServerProcess,
    writer: RawClient,
    healthy: RawClient,
    readers: KernelReader[],
  ) {
    this.server = server
    this.writer = writer
    this.healthy = healthy
    this.readers = readers
  }

  static async start(options: object): Promise<Scene> {
    const directory = await makeTempDirectory()
    // Folding has worker threads of its own, whose memory is not the readers' doing.
    const quiet = { compactAfterBytes: 1024 * MIB, compactAfterEntries: 10_000_000 }
    const server = await startServerProcess(
      'hostile-server.mjs',
      directory,
      JSON.stringify({ ...quiet, ...options }),
    )
    const readers: KernelReader[] = []
    running.push({ server, directory, readers })
    const scene = new Scene(
      server,
      await RawClient.connect(server.url),
      await RawClient.connect(server.url),
      readers,
    )
    scene.#handle = (await scene.writer.join('draft', { clientId: 1 })).document
    await scene.healthy.join('draft', { clientId: 2 })
    return scene
  }

  async reader(transport: string, clientId: number): Promise<KernelReader> {
    const reader = await openReader(this.server.url, transport)
    this.readers.push(reader)
    await reader.join('draft', clientId)
    return reader
  }

  /** Writes an update of about this size, and has its acknowledgement. */
  async write(bytes: number): Promise<number> {
    const text = randomBytes(bytes / 2).toString('hex')
    const update = updateOf(this.#doc, () => this.#doc.getMap('body').set('text', text))
    const answer = await this.writer.update(this.#handle, update)
    if (!answer.ok) throw new Error(`the update was refused: ${answer.code}`)
    this.peakBytes = Math.max(this.peakBytes, residentBytes(this.server.process.pid!))
    return answer.seq
  }

  async writeUntil(condition: () => boolean, bytes: number): Promise<number> {
    let seq = 0
    while (!condition()) seq = await this.write(bytes)
    return seq
  }

  /** Everything came, in order, none missed, and nobody was disconnected. */
  async expectHealthy(head: number): Promise<void> {
    const { healthy } = this
    await healthy.until(() => healthy.updates.at(-1)?.to === head || !healthy.socket.connected)
    let next = 1
    for (const { from, to } of healthy.updates) {
      // What is large is announced, from behind it.
      expect(from).toBe(from > to ? to + 1 : next)
      next = to + 1
    }
    expect([next, healthy.closed, healthy.socket.connected]).toEqual([head + 1, [], true])
  }

  isGone(clientId: number): boolean {
    return this.healthy.awareness
      .flatMap((update) => decodePresence(update))
      .some((presence) => presence.clientId === clientId && presence.state === null)
  }
}

const present = (clientId: number): Uint8Array =>
  encodePresence({ clientId, clock: 1, state: { at: clientId } })

describe.each(['websocket', 'polling'])('T23 a reader on %s', (transport) => {
  test('T23 [OUT1] that stops for a while and reads on has everything, without a reconnect, and hears who left meanwhile [PRES9]', async () => {
    const scene = await Scene.start({
      outboxSoftBytes: 64 * KIB,
      outboxStallMs: 600_000,
      pingTimeoutMs: 300_000,
    })
    const reader = await scene.reader(transport, 10)
    const visitor = await scene.reader('websocket', 11)
    await visitor.announce(present(11))
    const states = (): [number, unknown][] =>
      reader.awareness
        .flatMap((update) => decodePresence(update))
        .map(({ clientId, state }) => [clientId, state])
    await reader.until(() => states().length > 0)
    reader.pause()
    // More than the kernel's buffers take, so that it is behind.
    let head = 0
    for (let written = 0; written < 16 * MIB; written += 64 * KIB)
      head = await scene.write(64 * KIB)
    visitor.close()
    await scene.healthy.until(() => scene.isGone(11))
    reader.resume()
    await reader.until(() => reader.isClosed || reader.reached(0) === head)
    await reader.until(
      () => reader.isClosed || states().some(([id, state]) => id === 11 && state === null),
    )
    expect(reader.isClosed).toBe(false)
    expect(reader.reached(0)).toBe(head)
    // It was brought up to date by pages of the log, not by each relay that it missed.
    expect(reader.ranges.length).toBeLessThan(head)
    await scene.expectHealthy(head)
  })

  test('T23 [OUT2] that stops for good is ended after the stall time; it comes back and gets the rest', async () => {
    const scene = await Scene.start({ outboxSoftBytes: 64 * KIB, outboxStallMs: 1000 })
    const reader = await scene.reader(transport, 10)
    await reader.announce(present(10))
    await scene.healthy.until(() => scene.healthy.awareness.length > 0)
    reader.pause()
    // Its presence goes with it: that is how the others, and this test, see its end.
    let head = await scene.writeUntil(() => scene.isGone(10), 64 * KIB)
    reader.resume()
    await reader.until(() => reader.isClosed)
    const position = reader.reached(0)
    expect(position).toBeLessThan(head)
    head = await scene.write(100)

    const again = await RawClient.connect(scene.server.url)
    const { epoch } = reader.joined!
    const joined = await again.join('draft', { clientId: 10, epoch, seq: position })
    // Every entry after the position, by the answer and by pulling.
    let { seq } = joined
    expect([joined.snapshot, joined.head]).toEqual([undefined, head])
    while (seq < head) {
      const page = await again.pull(joined.document, { epoch, after: seq })
      if (!page.ok) throw new Error(`pull refused: ${page.code}`)
      expect(page.seq).toBeGreaterThan(seq)
      seq = page.seq
    }
    await scene.write(100)
    await again.until(() => again.updates.length > 0)
    expect(again.updates[0]).toMatchObject({ from: head + 1, to: head + 1 })
    again.close()
    await scene.expectHealthy(head + 1)
  })
})

test('T23 [OUT3] fifty readers that ask and do not read cost bounded memory, and the others nothing', async () => {
  const READERS = 50
  const scene = await Scene.start({
    outboxSoftBytes: 64 * KIB,
    outboxStallMs: 600_000,
    pingTimeoutMs: 300_000,
  })
  // As much as later, with nobody stuck: what writing itself takes.
  for (let round = 0; round < 200; round++) await scene.write(128 * KIB)
  const before = scene.peakBytes
  for (let index = 0; index < READERS; index++) {
    const reader = await scene.reader(index % 2 === 0 ? 'websocket' : 'polling', 100 + index)
    reader.pause()
    // 25 MiB of answers for each, 1250 in all.
    for (let pull = 0; pull < 100; pull++) await reader.pull(10 + pull)
  }
  let head = 0
  for (let round = 0; round < 200; round++) head = await scene.write(128 * KIB)
  await scene.expectHealthy(head)
  const grown = scene.peakBytes - before
  // For each the soft limit, and the answers that were under way when it was reached; on long polling a
  // third more as base64, and once more as the body of the response.
  const webSocketBytes = (64 + 9 * 256) * KIB
  const pollingBytes = webSocketBytes * (4 / 3) * 2
  expect(grown).toBeLessThan((READERS / 2) * (webSocketBytes + pollingBytes) + 32 * MIB)
  process.stdout.write(`${READERS} stuck readers: ${(grown / MIB).toFixed(0)} MiB more\n`)
})

test('T20 T23 [OUT4] one large message reaches a reader on a slow line, though it takes longer than the stall time', async () => {
  const scene = await Scene.start({
    outboxStallMs: 5000,
    outboxSoftBytes: 64 * KIB,
    pingTimeoutMs: 300_000,
  })
  const reader = await scene.reader('websocket', 10)
  // 1.5 MB a second: fourteen seconds for it, of which the kernel's buffers hide some.
  ;(reader as KernelReader & { throttle(bytesPerMs: number): void }).throttle(1500)
  const doc = new Y.Doc()
  const update = updateOf(doc, () =>
    doc.getText('body').insert(0, randomBytes(10 * MIB).toString('hex')),
  )
  const { document, limits } = await scene.writer.join('draft', { clientId: 1 })
  for (let offset = 0; offset < update.length; offset += limits.chunkBytes)
    expect(
      await scene.writer.request(
        'chunk',
        document,
        { upload: 1, offset, size: update.length },
        update.subarray(offset, offset + limits.chunkBytes),
      ),
    ).toMatchObject({ ok: true })
  const saved = await scene.writer.request<{ ok: true; seq: number }>('update', document, {
    upload: 1,
  })
  expect(saved).toMatchObject({ ok: true, seq: 1 })
  await reader.until(() => reader.isClosed || reader.ranges.length > 0)
  // It is only announced. A client that does not read in chunks asks for all of it.
  await reader.pull(2)
  await reader.until(() => reader.isClosed || reader.pulled.length > 0)
  expect([reader.isClosed, reader.pulled]).toEqual([false, [update.length]])
  await scene.expectHealthy(1)
})
