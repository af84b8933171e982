import { randomBytes } from 'node:crypto'
import { get, request, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'

interface Joined {
  readonly document: number
  readonly epoch: string
  readonly seq: number
}

/**
 * A reader made of bare sockets, which can stop reading in the kernel: nothing of a client library reads on behind
 * the test's back. It joins one document and keeps which entries it was sent.
 */
export abstract class KernelReader {
  /** The ranges of entries that came, in the order in which they came. */
  readonly ranges: { from: number; to: number; bytes: number }[] = []
  readonly awareness: Buffer[] = []
  /** How long the updates were that answers to `pull` brought. */
  readonly pulled: number[] = []
  joined: Joined | null = null
  isClosed = false
  #awaitsAttachment: 'update' | 'awareness' | 'answer' | null = null
  readonly #arrivals = new Set<() => void>()

  /** An engine.io message: text, or an attachment. */
  abstract send(message: string | Buffer): Promise<void>
  abstract pause(): void
  abstract resume(): void
  abstract close(): void

  async join(name: string, clientId: number, cursor: object = {}): Promise<Joined> {
    const key = `key-of-kernel-reader-${clientId}`
    await this.send(
      `2/y-rooms,1${JSON.stringify(['join', { document: name, clientId, key, ...cursor }])}`,
    )
    await this.until(() => this.joined !== null)
    return this.joined!
  }

  announce(bytes: Uint8Array): Promise<void> {
    const event = ['awareness', this.joined!.document, { _placeholder: true, num: 0 }]
    return this.send(`51-/y-rooms,${JSON.stringify(event)}`).then(() =>
      this.send(Buffer.from(bytes)),
    )
  }

  /** Asks for the log from the beginning. Large entries come whole. */
  pull(id: number): Promise<void> {
    const { document, epoch } = this.joined!
    return this.send(`2/y-rooms,${id}${JSON.stringify(['pull', document, { epoch, after: 0 }])}`)
  }

  /** The last entry up to which nothing is missing, from `seq` on. */
  reached(seq: number): number {
    let reached = seq
    for (const { from, to } of this.ranges) if (from <= reached + 1) reached = Math.max(reached, to)
    return reached
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#arrivals.add(resolve))
  }

  protected handleMessage(message: string | Buffer): void {
    if (message === '2') void this.send('\u0000pong')
    else if (typeof message === 'string') {
      // Not the engine's own packets, of which the first has brackets too.
      if (message.startsWith('4')) this.#handleText(message.slice(1))
    } else if (this.#awaitsAttachment !== null) {
      if (this.#awaitsAttachment === 'awareness') this.awareness.push(message)
      else if (this.#awaitsAttachment === 'answer') this.pulled.push(message.length)
      else this.ranges.at(-1)!.bytes = message.length
      this.#awaitsAttachment = null
    }
    this.arrived()
  }

  protected arrived(): void {
    const waiting = [...this.#arrivals]
    this.#arrivals.clear()
    for (const callback of waiting) callback()
  }

  #handleText(packet: string): void {
    const json = packet.indexOf('[')
    const isAnswer = packet.startsWith('6') || packet.startsWith('3')
    if (json < 0) return
    const [first, , from, to] = JSON.parse(packet.slice(json)) as [unknown, number, number, number]
    if (isAnswer) {
      if (this.joined === null) this.joined = first as Joined
      else if (packet.startsWith('61-')) this.#awaitsAttachment = 'answer'
    } else if (first === 'update') {
      this.ranges.push({ from, to, bytes: 0 })
      this.#awaitsAttachment = 'update'
    } else if (first === 'awareness') this.#awaitsAttachment = 'awareness'
  }
}

export async function openReader(url: string, transport: string): Promise<KernelReader> {
  const reader = transport === 'websocket' ? new WebSocketReader(url) : new PollingReader(url)
  await reader.open()
  return reader
}

class WebSocketReader extends KernelReader {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  /** What came after `#received`: put behind it once there is enough, not with each piece of a large message. */
  #behind: Buffer[] = []
  #behindBytes = 0
  /** So many bytes does the frame have that is being received. */
  #frameBytes = 0
  #isUpgraded = false
  #isConnected = false
  #isPaused = false

  constructor(url: string) {
    super()
    const { hostname, port } = new URL(url)
    this.#socket = connect(Number(port), hostname)
    this.#socket.on('data', (bytes) => this.#handleBytes(bytes))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.isClosed = true
      this.arrived()
    })
  }

  async open(): Promise<void> {
    const key = randomBytes(16).toString('base64')
    this.#socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n' +
        `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
    await this.until(() => this.#isUpgraded || this.isClosed)
    await this.send('0/y-rooms,{"protocol":1}')
    await this.until(() => this.#isConnected || this.isClosed)
  }

  send(message: string | Buffer): Promise<void> {
    const isText = typeof message === 'string'
    const payload = isText
      ? Buffer.from(message === '\u0000pong' ? '3' : `4${message}`)
      : Buffer.from(message)
    // Clients mask; a mask of zeros changes nothing. Longer messages than these are not sent here.
    const length = payload.length
    const size =
      length < 126 ? [0x80 | length] : [0x80 | 126, Math.floor(length / 256), length % 256]
    this.#socket.write(
      Buffer.concat([Buffer.from([0x80 | (isText ? 1 : 2), ...size, 0, 0, 0, 0]), payload]),
    )
    return Promise.resolve()
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#socket.resume()
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Reads as slowly as a line of this speed lets it. */
  throttle(bytesPerMs: number): void {
    this.#socket.on('data', (bytes) => {
      this.#socket.pause()
      setTimeout(() => {
        if (!this.#isPaused) this.#socket.resume()
      }, bytes.length / bytesPerMs)
    })
  }

  #handleBytes(bytes: Buffer): void {
    this.#behind.push(bytes)
    this.#behindBytes += bytes.length
    if (this.#received.length + this.#behindBytes < this.#frameBytes) return
    this.#received = Buffer.concat([this.#received, ...this.#behind])
    this.#behind = []
    this.#behindBytes = 0
    this.#frameBytes = 0
    if (!this.#isUpgraded) {
      const end = this.#received.indexOf('\r\n\r\n')
      if (end < 0) return
      this.#isUpgraded = true
      this.#received = this.#received.subarray(end + 4)
      this.arrived()
    }
    for (let frame; (frame = this.#takeFrame()) !== null;) {
      if (frame.opcode === 1) {
        const text = frame.payload.toString()
        if (text.startsWith('40/y-rooms,')) this.#isConnected = true
        this.handleMessage(text)
      } else if (frame.opcode === 2) this.handleMessage(frame.payload)
    }
  }

  #takeFrame(): { opcode: number; payload: Buffer } | null {
    const bytes = this.#received
    if (bytes.length < 2) return null
    const short = bytes[1]! & 0x7f
    const header = short === 127 ? 10 : short === 126 ? 4 : 2
    if (bytes.length < header) return null
    const length =
      short === 127
        ? Number(bytes.readBigUInt64BE(2))
        : short === 126
          ? bytes.readUInt16BE(2)
          : short
    if (bytes.length < header + length) {
      this.#frameBytes = header + length
      return null
    }
    this.#received = bytes.subarray(header + length)
    return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(header, header + length) }
  }
}

class PollingReader extends KernelReader {
  readonly #url: string
  #response: IncomingMessage | null = null
  #isPaused = false
  #sid = ''

  constructor(url: string) {
    super()
    this.#url = `${url}/socket.io/?EIO=4&transport=polling`
  }

  async open(): Promise<void> {
    const opened = await (await fetch(this.#url)).text()
    this.#sid = (JSON.parse(opened.slice(1)) as { sid: string }).sid
    await this.send('0/y-rooms,{"protocol":1}')
    void this.#poll()
  }

  send(message: string | Buffer): Promise<void> {
    const body =
      typeof message !== 'string'
        ? `b${message.toString('base64')}`
        : message === '\u0000pong'
          ? '3'
          : `4${message}`
    return new Promise((resolve) => {
      const post = request(
        `${this.#url}&sid=${this.#sid}`,
        { method: 'POST', agent: false, headers: { 'content-type': 'text/plain;charset=UTF-8' } },
        (response) =>
          response
            .resume()
            .on('end', resolve)
            .on('error', () => resolve()),
      )
      post.on('error', () => resolve())
      post.end(body)
    })
  }

  pause(): void {
    this.#isPaused = true
    this.#response?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#response?.resume()
  }

  close(): void {
    this.isClosed = true
    this.#response?.destroy()
  }

  async #poll(): Promise<void> {
    while (!this.isClosed) {
      const body = await this.#get()
      if (body === null) {
        this.isClosed = true
        this.arrived()
        return
      }
      for (const packet of body.split('\u001e'))
        this.handleMessage(packet.startsWith('b') ? Buffer.from(packet.slice(1), 'base64') : packet)
    }
  }

  #get(): Promise<string | null> {
    return new Promise((resolve) => {
      const poll = get(`${this.#url}&sid=${this.#sid}`, { agent: false }, (response) => {
        this.#response = response
        const parts: Buffer[] = []
        response.on('data', (bytes: Buffer) => parts.push(bytes))
        response.on('end', () =>
          resolve(response.statusCode === 200 ? Buffer.concat(parts).toString() : null),
        )
        response.on('error', () => resolve(null))
        if (this.#isPaused) response.pause()
      })
      poll.on('error', () => resolve(null))
    })
  }
}
