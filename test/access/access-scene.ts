import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { SignJWT, type JWTPayload } from 'jose'
import { onTestFinished } from 'vitest'
import * as Y from 'yjs'
import {
  createDocumentServer,
  jwtAuthenticate,
  levelStorage,
  type JwtOptions,
  type ServerOptions,
} from 'y-rooms/server'
import { ManualClock } from '../support/manual-clock.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'

export const SECRET = 'a secret of thirty-two bytes, or more'

/** Time that a test moves, while the turns of the event loop end by themselves: sockets are real. */
class SceneClock extends ManualClock {
  override afterTurn(callback: () => void): void {
    setImmediate(callback)
  }
}

export interface TokenClaims extends JWTPayload {
  readonly documents?: unknown
  readonly name?: unknown
}

/** A token for Ada that holds for an hour, changed where a test says so; `undefined` leaves a claim out. */
export function token(
  clock: Pick<ManualClock, 'now'>,
  claims: TokenClaims = {},
  { secret = SECRET, algorithm = 'HS256' } = {},
): Promise<string> {
  const now = Math.floor(clock.now() / 1000)
  const payload = { sub: 'ada', exp: now + 3600, documents: { '*': 'write' }, ...claims }
  const given = Object.fromEntries(
    Object.entries(payload).filter(([, claim]) => claim !== undefined),
  )
  return new SignJWT(given)
    .setProtectedHeader({ alg: algorithm })
    .sign(new TextEncoder().encode(secret))
}

/** A server that checks tokens, with its HTTP API, on a real LevelDB and a loopback port, until the test ends. */
export async function accessServer(
  options: Partial<ServerOptions> & { readonly jwt?: Partial<JwtOptions> } = {},
) {
  const { jwt, ...rest } = options
  const clock = new SceneClock()
  const errors: unknown[] = []
  const ignore = (): void => undefined
  const documents = createDocumentServer({
    storage: levelStorage(await makeTempDirectory()),
    clock,
    // Time stands still, and nothing waits for it.
    commitIntervalMs: 0,
    relayIntervalMs: 0,
    // An hour may pass while a message is under way.
    outboxStallMs: 600_000,
    authenticate: jwtAuthenticate({ secret: SECRET, clock, ...jwt }),
    logger: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, fields) => errors.push({ message, error: fields?.['error'] }),
    },
    ...rest,
  })
  const app = express()
  app.use('/api', documents.router())
  const http = createServer(app)
  documents.attach(http)
  await documents.ready()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  onTestFinished(async () => {
    // Bounds of closing are timers too.
    const closing = documents.close()
    for (let turn = 0; turn < 50; turn++) {
      clock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closing
    http.closeAllConnections()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  })
  const connect = async (shown?: string): Promise<RawClient> => {
    const client = await RawClient.connect(url, shown === undefined ? {} : { token: shown })
    onTestFinished(() => client.close())
    return client
  }
  const ask = (path: string, shown: string | null, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}/api${path}`, {
      ...init,
      headers: { ...(shown === null ? {} : { authorization: `Bearer ${shown}` }), ...init.headers },
    })
  return { clock, documents, url, errors, connect, ask }
}

/** The update that writes a text into a fresh document. */
export function writing(text: string): Uint8Array {
  return updateOf(new Y.Doc(), (doc) => doc.getText('body').insert(0, text))
}
