import { wholeOf } from './same-bytes.mjs'
import { openSocketIo } from './socket-io.mjs'
import { Client } from './socket.mjs'

const PULLS_AT_ONCE = 4

/** Speaks docs/protocol.md, and holds no document: only a cursor. */
export class RawClient extends Client {
  /** Gets the milliseconds from sending an update until it was acknowledged as durable. */
  onSaved = () => undefined
  seq = 0
  handle = 0

  constructor(port, document, clientId) {
    super()
    this.port = port
    this.document = document
    this.clientId = clientId
  }

  /** Resolves with the state as updates. With a cursor { epoch, seq }, only with what came after it. */
  async join(cursor = {}) {
    await this.connect()
    return this.enter(cursor)
  }

  async connect() {
    const url = `http://127.0.0.1:${this.port}/y-rooms`
    this.socket = await openSocketIo(
      url,
      { protocol: 1 },
      {
        update: (_handle, from, to, update) => {
          if (from > this.seq + 1) void this.#fill(from - 1)
          this.seq = Math.max(this.seq, to)
          this.onUpdate(update)
        },
        awareness: (_handle, update) => this.onPresence(update),
        closed: () => this.isClosed || this.onLost(),
      },
    )
    this.socket.onClose(() => this.isClosed || this.onLost())
  }

  async enter(cursor) {
    const { document, clientId } = this
    const key = `key-of-client-${clientId}`.padEnd(16, '-')
    const joined = await this.#ask('join', { document, clientId, key, ...cursor })
    this.handle = joined.document
    this.epoch = joined.epoch
    this.seq = joined.head
    const parts = joined.snapshot === undefined ? [] : [await this.#readSnapshot(joined.snapshot)]
    parts.push(...joined.updates)
    for (let after = joined.seq; after < joined.head;) {
      const page = await this.#ask('pull', this.handle, { epoch: joined.epoch, after })
      parts.push(...page.updates)
      after = page.seq
    }
    return parts
  }

  sendUpdate(update) {
    const sentAt = performance.now()
    this.socket.emit('update', this.handle, update, (answer) => {
      if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`)
      this.seq = Math.max(this.seq, answer.seq)
      this.onSaved(performance.now() - sentAt)
    })
  }

  sendPresence(update) {
    this.socket.emit('awareness', this.handle, update)
  }

  async sendLarge(update) {
    const chunk = 256 * 1024
    const upload = 1
    for (let offset = 0; offset < update.length; offset += chunk)
      await this.#ask(
        'chunk',
        this.handle,
        { upload, offset, size: update.length },
        update.subarray(offset, offset + chunk),
      )
    await this.#ask('update', this.handle, { upload })
  }

  async #readSnapshot({ seq, bytes, chunkBytes }) {
    const chunks = Array.from({ length: Math.ceil(bytes / chunkBytes) })
    let next = 0
    const pull = async () => {
      while (next < chunks.length) {
        const chunk = next++
        const request = { epoch: this.epoch, snapshot: seq, chunk }
        chunks[chunk] = (await this.#ask('pull', this.handle, request)).updates[0]
      }
    }
    await Promise.all(Array.from({ length: PULLS_AT_ONCE }, pull))
    return wholeOf(chunks)
  }

  /** Messages were left out for a slow reader: the log has them. */
  async #fill(to) {
    for (let after = this.seq; after < to;) {
      const page = await this.#ask('pull', this.handle, { epoch: this.epoch, after })
      for (const update of page.updates) this.onUpdate(update)
      after = page.seq
    }
  }

  async #ask(event, ...args) {
    const answer = await this.socket.ask(event, ...args)
    if (!answer.ok) throw new Error(`${event}: ${answer.code} ${answer.message}`)
    return answer
  }
}
