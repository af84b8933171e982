import type { ConnectionOptions } from './connection-options.ts'
import { SocketIOConnection } from './connection.ts'

interface Entry {
  readonly connection: SocketIOConnection
  readonly options: ConnectionOptions
  holders: number
}

/** The connections that providers hold. Entries leave with their last holder. */
const entries: Entry[] = []

/** The connection of everybody with the same server, token and options; a new one for the first. */
export function acquireConnection(options: ConnectionOptions): SocketIOConnection {
  let entry = entries.find((candidate) => isSame(candidate.options, options))
  if (entry === undefined) {
    entry = { connection: new SocketIOConnection(options), options, holders: 0 }
    entries.push(entry)
  }
  entry.holders++
  return entry.connection
}

/** Gives an acquired connection back. Connections from elsewhere are left alone. */
export function releaseConnection(connection: SocketIOConnection): void {
  const index = entries.findIndex((entry) => entry.connection === connection)
  const entry = entries[index]
  if (entry === undefined) return
  entry.holders--
  if (entry.holders > 0) return
  entries.splice(index, 1)
  connection.destroy()
}

/** How many connections are held at this moment. */
export function countConnections(): number {
  return entries.length
}

function isSame(left: ConnectionOptions, right: ConnectionOptions): boolean {
  return (
    left.url === right.url &&
    (left.token ?? null) === (right.token ?? null) &&
    left.auth === right.auth &&
    left.maxBackoffTime === right.maxBackoffTime &&
    left.socketIo === right.socketIo &&
    left.network === right.network &&
    left.clock === right.clock
  )
}
