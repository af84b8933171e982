import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import { isSequenceNumber } from '../protocol/index.ts'
import { errorFromRefusal, ProviderError } from './provider-error.ts'
import { readAccess, readAnswer, readBytes, readClosed } from './read-answer.ts'
import { serverAddress } from './server-url.ts'
import type { Network, Wire } from './wire.ts'

export type SocketIOOptions = Partial<ManagerOptions & SocketOptions>

/** A server that takes longer to answer a small question has other troubles than a late goodbye. */
const GOODBYE_TIMEOUT_MS = 3000

/** Opens one new Socket.IO socket, on a connection of its own, per wire. */
export function socketIONetwork(options: SocketIOOptions = {}): Network {
  return (target, listener) => {
    const socket = io(serverAddress(target.url, globalThis.location?.href), {
      // WebSocket alone is one round trip where polling and upgrading are four. Where something in
      // between blocks it, the next attempt starts with polling.
      transports: target.failures % 2 === 0 ? ['websocket', 'polling'] : ['polling', 'websocket'],
      tryAllTransports: true,
      ...options,
      auth: { ...target.auth },
      // The wire has one life, and its owner decides when to open the next one and gives up on this
      // one. Socket.IO's own reconnection would send what it buffered for handles that mean nothing now.
      forceNew: true,
      reconnection: false,
      autoConnect: false,
    })
    socket.on('connect', () => listener.handleOpen())
    socket.on('connect_error', (error) => listener.handleOpenFailed(connectError(error)))
    socket.on('disconnect', (reason) => listener.handleDown(reason))
    socket.on('update', (document: unknown, from: unknown, to: unknown, value: unknown) => {
      const update = readBytes(value)
      if (isSequenceNumber(document) && isSequenceNumber(from) && isSequenceNumber(to) && update)
        listener.handleUpdate(document, from, to, update)
    })
    socket.on('awareness', (document: unknown, value: unknown) => {
      const update = readBytes(value)
      if (isSequenceNumber(document) && update) listener.handleAwareness(document, update)
    })
    socket.on('closed', (document: unknown, value: unknown) => {
      const closed = readClosed(value)
      if (isSequenceNumber(document) && closed) listener.handleClosed(document, closed)
    })
    socket.on('access', (document: unknown, value: unknown) => {
      const change = readAccess(value)
      if (isSequenceNumber(document) && change) listener.handleAccess(document, change)
    })
    socket.on('expiring', (expiresInMs: unknown) => {
      if (typeof expiresInMs === 'number') listener.handleExpiring(expiresInMs)
    })
    socket.connect()
    return socketWire(socket)
  }
}

function socketWire(socket: Socket): Wire {
  return {
    request(name, args, handleAnswer) {
      // Socket.IO would keep it for a later connection. The owner hears of the end and asks again.
      if (!socket.connected) return
      socket.emit(name, ...args, (value: unknown) => {
        if (socket.connected) handleAnswer(readAnswer(name, value))
      })
    },
    send(name, args) {
      if (socket.connected) socket.emit(name, ...args)
    },
    close(isAtOnce = false) {
      socket.off()
      if (isAtOnce) {
        // The transport before the namespace: no goodbye, so that the server reads what was sent before it.
        socket.io.engine.close()
        socket.disconnect()
        return
      }
      // A server drops what it reads together with the goodbye, the last edit among it. So the goodbye
      // waits until something sent after that edit was answered.
      if (socket.connected)
        socket.timeout(GOODBYE_TIMEOUT_MS).emit('leave', 0, 0, () => socket.disconnect())
      else socket.disconnect()
    },
  }
}

function connectError(error: Error & { readonly data?: unknown }): ProviderError {
  // The server's own refusals come as `data`; everything else is the network or a proxy.
  const refused = readClosed(error.data)
  if (refused !== null) return errorFromRefusal(refused)
  return new ProviderError('connection-failed', `cannot connect: ${error.message}`, {
    cause: error,
  })
}
