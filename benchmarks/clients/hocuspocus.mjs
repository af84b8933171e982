import { Reader, varBytes, varText, varUint } from '../load/bytes.mjs'
import { perMessage } from './same-bytes.mjs'
import { Client, openWebSocket } from './socket.mjs'

const [SYNC, AWARENESS, AUTH, SYNC_REPLY, PING, PONG] = [0, 1, 2, 4, 9, 10]
const [STEP_1, STEP_2, UPDATE] = [0, 1, 2]

/** Speaks Hocuspocus 4 as its provider does, and holds no document. */
export class RawClient extends Client {
  constructor(port, document) {
    super()
    this.port = port
    this.prefix = varText(document)
  }

  /** Resolves with the state as updates, when the server has said it is complete. */
  async join() {
    await this.connect()
    return this.enter()
  }

  async connect() {
    this.joined = new Promise((resolve) => (this.resolveJoin = resolve))
    this.socket = openWebSocket(`ws://127.0.0.1:${this.port}`, (data) => this.handle(data))
    this.socket.onClose(() => this.isClosed || this.onLost())
    await this.socket.opened
  }

  /** What is after a state vector, as a provider asks that kept its document; without one, all. */
  enter({ stateVector = Uint8Array.of(0) } = {}) {
    this.#send(AUTH, 0, ...varText(''), ...varText('4.7.0'))
    this.#send(SYNC, STEP_1, ...varBytes(stateVector))
    return this.joined
  }

  handle(bytes) {
    const { type, step, payload } = readMessage(bytes)
    if (type === AWARENESS) this.onPresence(payload)
    else if (type === PING) this.#send(PONG)
    else if (step === UPDATE) this.onUpdate(payload)
    else if (step === STEP_1) this.#send(SYNC, STEP_2, ...varBytes([0, 0]))
    else if (step === STEP_2) this.resolveJoin([payload])
  }

  sendUpdate(update) {
    this.#send(SYNC, UPDATE, ...varUint(update.length), ...update)
  }

  sendPresence(update) {
    this.#send(AWARENESS, ...varUint(update.length), ...update)
  }

  sendLarge(update) {
    const head = [...this.prefix, SYNC, UPDATE, ...varUint(update.length)]
    this.socket.send(Buffer.concat([Uint8Array.from(head), update]))
  }

  #send(...bytes) {
    this.socket.send(Uint8Array.from([...this.prefix, ...bytes]))
  }
}

const readMessage = perMessage((bytes) => {
  const reader = new Reader(bytes)
  reader.varBytes()
  const type = reader.varUint()
  if (type === AWARENESS) return { type, payload: reader.varBytes() }
  if (type !== SYNC && type !== SYNC_REPLY) return { type }
  return { type, step: reader.varUint(), payload: reader.varBytes() }
})
