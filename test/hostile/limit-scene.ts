import express from 'express'
import { onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { memoryStorage, type ServerOptions } from 'y-rooms/server'
import { serveHealth } from '../support/health.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'

/** Time that a test moves, while the turns of the event loop end by themselves: sockets are real. */
class LimitClock extends ManualClock {
  override afterTurn(callback: () => void): void {
    setImmediate(callback)
  }
}

export interface LimitScene {
  readonly server: RunningServer
  readonly clock: LimitClock
  connect(auth?: Record<string, unknown>, transports?: string[]): Promise<RawClient>
  /** How often a limit was hit, as `/metrics` says. */
  hits(limit: string): Promise<number>
}

/** A server over a real socket whose time the test moves, until the test ends. */
export async function limitScene(options: Partial<ServerOptions> = {}): Promise<LimitScene> {
  const clock = new LimitClock()
  const server = await startServer(memoryStorage(), {
    clock,
    // Time stands still, and nothing waits for it.
    commitIntervalMs: 0,
    relayIntervalMs: 0,
    presenceIntervalMs: 0,
    ...options,
  })
  const app = express()
  app.use('/api', server.documents.router())
  serveHealth(server, app)
  onTestFinished(async () => {
    // Bounds of closing are timers too.
    const closing = server.close()
    for (let turn = 0; turn < 50; turn++) {
      clock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closing
  })
  return {
    server,
    clock,
    async connect(auth = {}, transports = ['websocket']) {
      const client = await RawClient.connect(server.url, auth, transports)
      onTestFinished(() => client.close())
      return client
    },
    async hits(limit) {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      const start = `y_rooms_limit_hits_total{limit="${limit}"} `
      const line = text.split('\n').find((one) => one.startsWith(start))
      return line === undefined ? 0 : Number(line.slice(start.length))
    },
  }
}

/** A writer that makes one small update after the other. */
export function keystrokes(): () => Uint8Array {
  const doc = new Y.Doc()
  return () => updateOf(doc, () => doc.getText('body').insert(doc.getText('body').length, 'x'))
}
