import { perMessage } from './same-bytes.mjs'
import { Client, openWebSocket } from './socket.mjs'

const UPDATE = 0

const payloadOf = perMessage((bytes) => bytes.subarray(1))

export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.url = `ws://127.0.0.1:${port}/${document}`
  }

  async join() {
    let resolveJoin
    const joined = new Promise((resolve) => (resolveJoin = resolve))
    this.socket = openWebSocket(this.url, (bytes) => {
      if (bytes.length === 0) resolveJoin([])
      else if (bytes[0] === UPDATE) this.onUpdate(payloadOf(bytes))
      else this.onPresence(payloadOf(bytes))
    })
    this.socket.onClose(() => this.isClosed || this.onLost())
    await this.socket.opened
    return joined
  }

  sendUpdate(update) {
    this.socket.send(Uint8Array.from([UPDATE, ...update]))
  }

  sendPresence(update) {
    this.socket.send(Uint8Array.from([1, ...update]))
  }
}
