import { openSocketIo } from './socket-io.mjs'
import { Client } from './socket.mjs'

/** Speaks y-socket.io as its provider does, and holds no document. */
export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.url = `http://127.0.0.1:${port}/yjs|${document}`
  }

  async join() {
    // The server asks for what we have once it listens; what is asked of it before that is never answered.
    let ready
    const isReady = new Promise((resolve) => (ready = resolve))
    this.socket = await openSocketIo(
      this.url,
      {},
      {
        'sync-step-1': (_stateVector, answer) => {
          answer(Uint8Array.of(0, 0))
          ready()
        },
        'sync-update': (update) => this.onUpdate(update),
        'awareness-update': (update) => this.onPresence(update),
      },
    )
    this.socket.onClose(() => this.isClosed || this.onLost())
    await isReady
    return [await this.socket.ask('sync-step-1', Uint8Array.of(0))]
  }

  sendUpdate(update) {
    this.socket.emit('sync-update', update)
  }

  sendPresence(update) {
    this.socket.emit('awareness-update', update)
  }

  sendLarge(update) {
    this.sendUpdate(update)
  }
}
