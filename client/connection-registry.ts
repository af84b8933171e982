import type { ConnectionOptions } from './connection-options.ts'
import { SocketIOConnection } from './connection.ts'

interface Entry {
  readonly connection: SocketIOConnection
  readonly options: ConnectionOptions
  holders: number
}

/** The connections that providers hold. Entries leave with their last holder. */
const entries: Entry[] = []

/** A connection, and how to give it back. */
export interface HeldConnection {
  readonly connection: SocketIOConnection
  /** To be called once. Closes the connection if nobody else holds it and it was not made by the application. */
  release(): void
}

interface ConnectionChoice extends ConnectionOptions {
  readonly connection?: SocketIOConnection | undefined
  readonly shared?: boolean | undefined
}

/** The connection that was given; or one of its own; or that of everybody with the same server, token and options. */
export function connectionFor(choice: ConnectionChoice): HeldConnection {
  const { connection, shared = true } = choice
  if (connection !== undefined) return { connection, release: () => undefined }
  if (shared) return acquireConnection(choice)
  const own = new SocketIOConnection(choice)
  return { connection: own, release: () => own.destroy() }
}

function acquireConnection(options: ConnectionOptions): HeldConnection {
  let entry = entries.find((candidate) => isSame(candidate, options))
  if (entry === undefined) {
    entry = { connection: new SocketIOConnection(options), options, holders: 0 }
    entries.push(entry)
  }
  entry.holders++
  return { connection: entry.connection, release: () => release(entry) }
}

function release(entry: Entry): void {
  entry.holders--
  const { connection } = entry
  const endUnused = (): void => {
    const index = entries.indexOf(entry)
    if (entry.holders > 0 || index < 0) return
    entries.splice(index, 1)
    connection.destroy()
  }
  // As in `detach`: somebody may come back in this turn.
  connection.clock.afterTurn(endUnused)
}

/** How many connections are held at this moment. */
export function countConnections(): number {
  return entries.length
}

function isSame({ connection, options: left }: Entry, right: ConnectionOptions): boolean {
  return (
    left.url === right.url &&
    connection.token === (right.token ?? null) &&
    left.auth === right.auth &&
    JSON.stringify(left.params ?? {}) === JSON.stringify(right.params ?? {}) &&
    left.maxBackoffTime === right.maxBackoffTime &&
    left.socketIo === right.socketIo &&
    left.network === right.network &&
    left.clock === right.clock
  )
}
