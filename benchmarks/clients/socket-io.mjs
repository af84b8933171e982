import { perMessage } from './same-bytes.mjs'
import { openWebSocket } from './socket.mjs'

/** Engine.io's and Socket.IO's packet types, as the first letters of a message. */
const [OPEN, PING, PONG] = ['0', '2', '3']
const [CONNECTED, DISCONNECT, EVENT, ACK, REFUSED, BINARY_EVENT, BINARY_ACK] = [
  '40',
  '41',
  '42',
  '43',
  '44',
  '45',
  '46',
]

/**
 * Socket.IO 4 over one WebSocket, without the stock client's layers: a driver with hundreds of those would be busier than
 * the servers that it measures. Attachments are whole arguments or fields of them.
 */
export async function openSocketIo(url, auth, listeners) {
  const { host, pathname } = new URL(url)
  const namespace = pathname === '/' ? '' : decodeURI(pathname)
  const connection = new Connection(namespace, listeners)
  const socket = openWebSocket(
    `ws://${host}/socket.io/?EIO=4&transport=websocket`,
    (bytes, isText) => connection.handle(bytes, isText),
  )
  connection.socket = socket
  await socket.opened
  connection.send(`${CONNECTED}${connection.prefix}${JSON.stringify(auth)}`)
  await connection.connected
  return connection
}

class Connection {
  #acks = new Map()
  #nextAck = 0
  /** A packet whose attachments have not all come. */
  #packet = null

  constructor(namespace, listeners) {
    this.prefix = namespace === '' ? '' : `${namespace},`
    this.listeners = listeners
    this.connected = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }))
  }

  send(message) {
    this.socket.send(message)
  }

  emit(event, ...args) {
    const answer = typeof args.at(-1) === 'function' ? args.pop() : null
    let id = ''
    if (answer !== null) this.#acks.set((id = this.#nextAck++), answer)
    const attachments = []
    const data = JSON.stringify([event, ...args.map((argument) => detach(argument, attachments))])
    const kind = attachments.length === 0 ? EVENT : `${BINARY_EVENT}${attachments.length}-`
    this.socket.sendAll([`${kind}${this.prefix}${id}${data}`, ...attachments])
  }

  ask(event, ...args) {
    return new Promise((resolve) => this.emit(event, ...args, resolve))
  }

  close() {
    this.socket.close()
  }

  bytesReceived() {
    return this.socket.bytesReceived()
  }

  onClose(callback) {
    this.socket.onClose(callback)
  }

  handle(bytes, isText) {
    if (!isText) {
      const packet = this.#packet
      packet.attachments.push(bytes)
      if (packet.attachments.length === packet.count) {
        this.#packet = null
        this.#dispatch(packet)
      }
      return
    }
    const header = headerOf(bytes)
    const { type, count } = header
    if (type === PING) this.send(PONG)
    else if (type === CONNECTED) this.resolve()
    else if (type === REFUSED) this.reject(new Error(bytes.toString()))
    else if (type === DISCONNECT) this.socket.close()
    else if (count > 0) this.#packet = { ...header, attachments: [] }
    else if (header.data !== undefined) this.#dispatch({ ...header, attachments: [] })
  }

  #dispatch({ type, id, data, attachments }) {
    const args = attachments.length === 0 ? data : data.map((value) => attach(value, attachments))
    if (type === ACK || type === BINARY_ACK) {
      this.#acks.get(id)(...args)
      this.#acks.delete(id)
    } else {
      const [event, ...rest] = args
      if (id !== null) rest.push((answer) => this.#answer(id, answer))
      this.listeners[event]?.(...rest)
    }
  }

  #answer(id, answer) {
    const attachments = []
    const data = JSON.stringify([detach(answer, attachments)])
    const kind = attachments.length === 0 ? ACK : `${BINARY_ACK}${attachments.length}-`
    this.socket.sendAll([`${kind}${this.prefix}${id}${data}`, ...attachments])
  }
}

/** A packet without its attachments: what a room sends has the same header for everybody. */
const headerOf = perMessage((bytes) => {
  const text = bytes.toString()
  if (text === PING || text[0] === OPEN) return { type: text[0], count: 0 }
  const type = text.slice(0, 2)
  if (type !== EVENT && type !== ACK && type !== BINARY_EVENT && type !== BINARY_ACK)
    return { type, count: 0 }
  let at = 2
  let count = 0
  if (type === BINARY_EVENT || type === BINARY_ACK) {
    const dash = text.indexOf('-')
    count = Number(text.slice(2, dash))
    at = dash + 1
  }
  // The namespace, which is the connection's own.
  if (text[at] === '/') at = text.indexOf(',', at) + 1
  const start = at
  while (text[at] >= '0' && text[at] <= '9') at++
  const id = start === at ? null : Number(text.slice(start, at))
  return { type, id, data: JSON.parse(text.slice(at)), count }
})

function detach(value, attachments) {
  if (!(value instanceof Uint8Array)) return value
  return { _placeholder: true, num: attachments.push(value) - 1 }
}

function attach(value, attachments) {
  if (typeof value !== 'object' || value === null) return value
  if (value._placeholder) return attachments[value.num]
  if (Array.isArray(value)) return value.map((item) => attach(item, attachments))
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, attach(field, attachments)]),
  )
}
