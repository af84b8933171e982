import { io } from 'socket.io-client'

/** Speaks docs/protocol.md and holds no document: what a client costs must not be taken for what the server costs. */
export class WireClient {
  constructor(url) {
    this.socket = io(`${url}/y-rooms`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      auth: { protocol: 1 },
    })
  }

  static async connect(url) {
    const client = new WireClient(url)
    await new Promise((resolve, reject) => {
      client.socket.once('connect', resolve)
      client.socket.once('connect_error', reject)
    })
    return client
  }

  async ask(event, ...args) {
    const answer = await this.socket.emitWithAck(event, ...args)
    if (!answer.ok) throw new Error(`${event}: ${answer.code} ${answer.message}`)
    return answer
  }

  join(document, clientId) {
    const key = `key-of-client-${clientId}`.padEnd(16, '-')
    return this.ask('join', { document, clientId, key })
  }

  /** Joins with nothing and reads up to the head, four chunks at a time. Resolves with the parts, in order. */
  async load(document, clientId) {
    const {
      snapshot,
      updates,
      document: handle,
      epoch,
      seq,
      head,
    } = await this.join(document, clientId)
    const parts = []
    if (snapshot !== undefined) {
      const count = Math.ceil(snapshot.bytes / snapshot.chunkBytes)
      const chunks = Array.from({ length: count })
      let next = 0
      const pull = async () => {
        while (next < count) {
          const chunk = next++
          const request = { epoch, snapshot: snapshot.seq, chunk }
          chunks[chunk] = (await this.ask('pull', handle, request)).updates[0]
        }
      }
      await Promise.all([pull(), pull(), pull(), pull()])
      parts.push(Buffer.concat(chunks))
    }
    parts.push(...updates)
    for (let position = seq; position < head;) {
      const page = await this.ask('pull', handle, { epoch, after: position })
      parts.push(...page.updates)
      position = page.seq
    }
    return parts
  }

  close() {
    this.socket.disconnect()
  }
}
