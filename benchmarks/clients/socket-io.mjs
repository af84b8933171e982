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
    (data, isBinary) => connection.handle(data, isBinary),
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
    this.send(`${kind}${this.prefix}${id}${data}`)
    for (const bytes of attachments) this.send(bytes)
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

  handle(data, isBinary) {
    if (isBinary) {
      const packet = this.#packet
      packet.attachments.push(data)
      if (packet.attachments.length === packet.count) {
        this.#packet = null
        this.#dispatch(packet)
      }
      return
    }
    const text = data.toString()
    if (text === PING) this.send(PONG)
    else if (text[0] !== OPEN) this.#read(text)
  }

  #read(text) {
    const type = text.slice(0, 2)
    if (type === DISCONNECT) return this.socket.close()
    let at = 2
    let count = 0
    if (type === BINARY_EVENT || type === BINARY_ACK) {
      const dash = text.indexOf('-')
      count = Number(text.slice(2, dash))
      at = dash + 1
    }
    if (text.startsWith(this.prefix, at)) at += this.prefix.length
    if (type === CONNECTED) return this.resolve()
    if (type === REFUSED) return this.reject(new Error(text.slice(at)))
    const start = at
    while (text[at] >= '0' && text[at] <= '9') at++
    const id = start === at ? null : Number(text.slice(start, at))
    const packet = { type, id, data: JSON.parse(text.slice(at)), count, attachments: [] }
    if (count > 0) this.#packet = packet
    else this.#dispatch(packet)
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
    this.send(`${kind}${this.prefix}${id}${data}`)
    for (const bytes of attachments) this.send(bytes)
  }
}

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
