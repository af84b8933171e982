import { socketIONetwork, type Network } from 'y-rooms/client'
import { USUAL_TRANSPORTS } from './transport.ts'

/** What a lossy network may lose: a request on its way to the server, or a relay on its way back. */
export interface Losses {
  /** Called for each; true loses it. Default: nothing is lost. */
  losesRequest: (name: string) => boolean
  losesRelay: (from: number, to: number) => boolean
}

/** Real Socket.IO connections on which single messages vanish, while everything around them arrives. */
export function lossyNetwork(): { network: Network; losses: Losses } {
  const losses: Losses = { losesRequest: () => false, losesRelay: () => false }
  const connect = socketIONetwork(USUAL_TRANSPORTS)
  const network: Network = (target, listener) => {
    const wire = connect(target, {
      handleOpen: () => listener.handleOpen(),
      handleOpenFailed: (error) => listener.handleOpenFailed(error),
      handleDown: (reason) => listener.handleDown(reason),
      handleUpdate: (document, from, to, update) => {
        if (!losses.losesRelay(from, to)) listener.handleUpdate(document, from, to, update)
      },
      handleAwareness: (document, update) => listener.handleAwareness(document, update),
      handleClosed: (document, closed) => listener.handleClosed(document, closed),
      handleAccess: (document, change) => listener.handleAccess(document, change),
      handleExpiring: (expiresInMs) => listener.handleExpiring(expiresInMs),
    })
    return {
      request: (name, args, handleAnswer) => {
        if (!losses.losesRequest(name)) wire.request(name, args, handleAnswer)
      },
      send: (name, args) => wire.send(name, args),
      close: () => wire.close(),
    }
  }
  return { network, losses }
}
