import { WebSocket } from 'ws'

/** A WebSocket with its messages as Uint8Arrays. */
export function openWebSocket(url, onMessage) {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  let tcp = null
  socket.once('upgrade', (response) => (tcp = response.socket))
  socket.on('message', (data, isBinary) => onMessage(data, isBinary))
  // Messages may come with the handshake's answer, before anything that awaits it goes on.
  const opened = new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject)
  })
  return {
    opened,
    send: (bytes) => socket.send(bytes),
    close: () => socket.terminate(),
    bytesReceived: () => tcp.bytesRead,
    onClose: (callback) => socket.on('close', callback),
  }
}

/** What a client of every server has; the server's own part is in the class that extends it. */
export class Client {
  /** Gets every update after the join, in the order of arrival. */
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
