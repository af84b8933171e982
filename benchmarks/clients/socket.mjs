import { connect } from 'node:net'
import { binaryFrame, FrameReader, pongFrame, textFrame, writeFrames } from './frames.mjs'

/** Every connection reads into the same place: what arrives is compared or copied before the next one reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024)

const END_OF_HEAD = '\r\n\r\n'

/**
 * A WebSocket (RFC 6455) without extensions, and no more than a load driver needs: a library's client allocates, emits and
 * copies for each of the hundreds that receive the same bytes. `onMessage` gets them as a Buffer that stays as it is.
 */
export function openWebSocket(url, onMessage) {
  const socket = new WebSocket(url, onMessage)
  return {
    opened: socket.opened,
    send: (message) => socket.send([message]),
    /** Several messages in one write, as one packet of theirs is. */
    sendAll: (messages) => socket.send(messages),
    close: () => socket.tcp.destroy(),
    bytesReceived: () => socket.tcp.bytesRead,
    onClose: (callback) => socket.tcp.on('close', callback),
  }
}

class WebSocket {
  #reader
  /** The answer to the handshake, as long as it is not complete. */
  #head = ''

  constructor(url, onMessage) {
    const { hostname, port, host, pathname, search } = new URL(url)
    this.#reader = new FrameReader({
      handleMessage: onMessage,
      handlePing: (bytes) => this.tcp.write(writeFrames([pongFrame(bytes)])),
      handleClose: () => this.tcp.destroy(),
    })
    this.opened = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }))
    this.tcp = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (length) => this.#read(READ_BUFFER.subarray(0, length)),
      },
    })
    // Followed by its close, which the one who uses it hears of.
    this.tcp.on('error', (error) => this.reject(error))
    this.tcp.on('close', () => this.reject(new Error(`${url} was closed before it was open`)))
    this.tcp.write(
      [
        `GET ${pathname}${search} HTTP/1.1`,
        `Host: ${host}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ].join('\r\n') + END_OF_HEAD,
    )
  }

  send(messages) {
    this.tcp.write(writeFrames(messages.map(toFrame)))
  }

  #read(chunk) {
    if (this.#head === null) this.#reader.read(chunk)
    else this.#readHead(chunk)
    // What is left in the system's buffers is read at once.
    return true
  }

  /** Messages may come with the handshake's answer, before anything that awaits it goes on. */
  #readHead(chunk) {
    // One byte a letter, so that places in the text are places in the bytes.
    const before = this.#head.length
    this.#head += chunk.latin1Slice()
    const end = this.#head.indexOf(END_OF_HEAD)
    if (end < 0) return
    const [status] = this.#head.split('\r\n', 1)
    if (!status.startsWith('HTTP/1.1 101 ')) return this.tcp.destroy(new Error(status))
    this.#head = null
    this.resolve()
    const rest = chunk.subarray(end + END_OF_HEAD.length - before)
    if (rest.length > 0) this.#reader.read(rest)
  }
}

const toFrame = (message) =>
  typeof message === 'string' ? textFrame(Buffer.from(message)) : binaryFrame(message)

/** What a client of every server has; the server's own part is in the class that extends it. */
export class Client {
  /**
   * Gets every update after the join, in the order of arrival. Equal updates are one object for all who receive them
   * (clients/same-bytes.mjs).
   */
  onUpdate = () => undefined
  onPresence = () => undefined
  /** Gets called when the connection ends that was not closed here. */
  onLost = () => undefined
  isClosed = false

  close() {
    this.isClosed = true
    this.socket.close()
  }

  bytesReceived() {
    return this.socket.bytesReceived()
  }
}
