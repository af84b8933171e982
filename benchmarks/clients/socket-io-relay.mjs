import { openSocketIo } from './socket-io.mjs'
import { Client } from './socket.mjs'

export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.port = port
    this.document = document
  }

  async join() {
    const { port, document } = this
    this.socket = await openSocketIo(
      `http://127.0.0.1:${port}`,
      { document },
      {
        update: (update) => this.onUpdate(update),
        awareness: (update) => this.onPresence(update),
      },
    )
    this.socket.onClose(() => this.isClosed || this.onLost())
    return []
  }

  sendUpdate(update) {
    this.socket.emit('update', update)
  }

  sendPresence(update) {
    this.socket.emit('awareness', update)
  }
}
