// Two people who write to each other while somebody floods the server: how long each edit takes to be saved, and to be seen.
import { io } from 'socket.io-client'
import * as Y from 'yjs'

const EDIT_EVERY_MS = 25

function open(url) {
  const socket = io(`${url}/y-rooms`, {
    transports: ['websocket'],
    forceNew: true,
    auth: { protocol: 1 },
  })
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket))
    socket.once('connect_error', reject)
  })
}

export class Neighbours {
  #writer
  #handle
  #url
  #doc = new Y.Doc()
  /** Of each edit on its way: when it was sent, by its sequence number once known. */
  #sent = new Map()
  #times = { savedMs: [], seenMs: [], joinMs: [], httpMs: [] }
  #faults = []
  #timer = null
  #rounds = 0

  static async connect(url) {
    const neighbours = new Neighbours()
    neighbours.#url = url
    const [writer, reader] = [await open(url), await open(url)]
    for (const socket of [writer, reader])
      socket.on('disconnect', (reason) => neighbours.#faults.push(`disconnected: ${reason}`))
    const key = 'neighbours have a key'
    const { document } = await writer.emitWithAck('join', { document: 'pair', clientId: 1, key })
    await reader.emitWithAck('join', { document: 'pair', clientId: 2, key })
    reader.on('update', (_document, from, to) => {
      for (let seq = from; seq <= to; seq++) neighbours.#handleSeen(seq)
    })
    neighbours.#writer = writer
    neighbours.#handle = document
    neighbours.#reader = reader
    return neighbours
  }

  #reader
  #seenEarly = new Map()

  start() {
    this.#timer = setInterval(() => {
      this.#edit()
      if (++this.#rounds % 8 === 0) void this.#visit()
    }, EDIT_EVERY_MS)
  }

  /** What was measured since the last call. */
  take() {
    const taken = Object.fromEntries(
      Object.entries(this.#times).map(([name, times]) => [name, summary(times.splice(0))]),
    )
    return { ...taken, faults: this.#faults.splice(0) }
  }

  close() {
    clearInterval(this.#timer)
    for (const socket of [this.#writer, this.#reader]) socket.off('disconnect').disconnect()
  }

  #edit() {
    const updates = []
    this.#doc.once('update', (update) => updates.push(update))
    this.#doc.getText('body').insert(0, 'x')
    const sentAt = performance.now()
    this.#writer.emit('update', this.#handle, updates[0], (answer) => {
      if (!answer.ok) {
        this.#faults.push(answer.code)
        return
      }
      this.#times.savedMs.push(performance.now() - sentAt)
      const seenAt = this.#seenEarly.get(answer.seq)
      this.#seenEarly.delete(answer.seq)
      if (seenAt === undefined) this.#sent.set(answer.seq, sentAt)
      else this.#times.seenMs.push(seenAt - sentAt)
    })
  }

  #handleSeen(seq) {
    const sentAt = this.#sent.get(seq)
    this.#sent.delete(seq)
    if (sentAt === undefined) this.#seenEarly.set(seq, performance.now())
    else this.#times.seenMs.push(performance.now() - sentAt)
  }

  /** Somebody comes to another document, and somebody asks over HTTP. */
  async #visit() {
    const begunAt = performance.now()
    try {
      const socket = await open(this.#url)
      await socket.emitWithAck('join', {
        document: 'visited',
        clientId: 3,
        key: 'a visitor has a key',
      })
      this.#times.joinMs.push(performance.now() - begunAt)
      socket.disconnect()
      const askedAt = performance.now()
      await (await fetch(`${this.#url}/healthz`)).text()
      this.#times.httpMs.push(performance.now() - askedAt)
    } catch (error) {
      this.#faults.push(`visit: ${error.message}`)
    }
  }
}

function summary(times) {
  times.sort((left, right) => left - right)
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN
  return { count: times.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
