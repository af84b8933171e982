import { Reader, varBytes, varUint } from '../load/bytes.mjs'
import { perMessage } from './same-bytes.mjs'
import { Client, openWebSocket } from './socket.mjs'

const [SYNC, AWARENESS] = [0, 1]
const [STEP_1, STEP_2, UPDATE] = [0, 1, 2]

/** Speaks y-protocols as y-websocket's provider does, and holds no document. */
export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.url = `ws://127.0.0.1:${port}/${document}`
  }

  async join() {
    await this.connect()
    return this.enter()
  }

  async connect() {
    this.joined = new Promise((resolve) => (this.resolveJoin = resolve))
    this.socket = openWebSocket(this.url, (data) => this.handle(data))
    this.socket.onClose(() => this.isClosed || this.onLost())
    await this.socket.opened
  }

  /** What is after a state vector, as a provider asks that kept its document; without one, all. */
  enter({ stateVector = Uint8Array.of(0) } = {}) {
    this.socket.send(Uint8Array.from([SYNC, STEP_1, ...varBytes(stateVector)]))
    return this.joined
  }

  handle(bytes) {
    const { type, step, payload } = readMessage(bytes)
    if (type === AWARENESS) this.onPresence(payload)
    else if (step === UPDATE) this.onUpdate(payload)
    else if (step === STEP_1) this.socket.send(Uint8Array.from([SYNC, STEP_2, 2, 0, 0]))
    else this.resolveJoin([payload])
  }

  sendUpdate(update) {
    this.socket.send(Uint8Array.from([SYNC, UPDATE, ...varUint(update.length), ...update]))
  }

  sendPresence(update) {
    this.socket.send(Uint8Array.from([AWARENESS, ...varUint(update.length), ...update]))
  }

  sendLarge(update) {
    const head = Uint8Array.from([SYNC, UPDATE, ...varUint(update.length)])
    this.socket.send(Buffer.concat([head, update]))
  }
}

const readMessage = perMessage((bytes) => {
  const reader = new Reader(bytes)
  const type = reader.varUint()
  if (type === AWARENESS) return { type, payload: reader.varBytes() }
  return { type, step: reader.varUint(), payload: reader.varBytes() }
})
