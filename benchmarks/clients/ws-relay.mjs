import { Client, openWebSocket } from './socket.mjs'

const UPDATE = 0

export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.url = `ws://127.0.0.1:${port}/${document}`
  }

  async join() {
    let resolveJoin
    const joined = new Promise((resolve) => (resolveJoin = resolve))
    this.socket = openWebSocket(this.url, (data) => {
      if (data.length === 0) resolveJoin([])
      else if (data[0] === UPDATE) this.onUpdate(data.subarray(1))
      else this.onPresence(data.subarray(1))
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
