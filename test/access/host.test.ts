import { request } from 'node:http'
import { io } from 'socket.io-client'
import { expect, test } from 'vitest'
import { serveOn } from './serve-on.ts'

async function serve(on: 'http' | 'host', allowedHosts?: readonly string[]): Promise<number> {
  const url = await serveOn(on, allowedHosts === undefined ? {} : { allowedHosts })
  return Number(new URL(url).port)
}

interface Answer {
  readonly status: number | undefined
  readonly body: string
}

/** Node's own client: those of Socket.IO for polling do not let the Host header be set. */
function ask(port: number, path: string, host: string, body?: string): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const headers = { host, ...(path.startsWith('/socket.io') ? { origin: `http://${host}` } : {}) }
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path, method, headers }, (response) => {
      let text = ''
      response.on('data', (data: Buffer) => (text += data.toString()))
      response.on('end', () => resolve({ status: response.statusCode, body: text }))
    })
      .on('error', reject)
      .end(body)
  })
}

/** As a page of this name whose DNS entry was pointed at the server: host and origin agree. */
const isLetIn = {
  async websocket(port: number, name: string): Promise<boolean> {
    const socket = io(`http://127.0.0.1:${port}/y-rooms`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      extraHeaders: { host: `${name}:${port}`, origin: `http://${name}:${port}` },
    })
    try {
      return await new Promise((resolve) => {
        socket.once('connect', () => resolve(true))
        socket.once('connect_error', () => resolve(false))
      })
    } finally {
      socket.disconnect()
    }
  },

  async polling(port: number, name: string): Promise<boolean> {
    const [host, path] = [`${name}:${port}`, '/socket.io/?EIO=4&transport=polling']
    const opened = await ask(port, path, host)
    if (opened.status !== 200) return false
    const { sid } = JSON.parse(opened.body.slice(1)) as { sid: string }
    await ask(port, `${path}&sid=${sid}`, host, '40/y-rooms,')
    const answer = (await ask(port, `${path}&sid=${sid}`, host)).body
    expect(answer).toMatch(/^40\/y-rooms,|^44\/y-rooms,.*host-not-allowed/)
    return answer.startsWith('40')
  },
} as const

const FOREIGN = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example']

for (const on of ['http', 'host'] as const)
  for (const transport of ['websocket', 'polling'] as const)
    test(`T54 [ORIG2] a foreign name that is pointed at this machine gets no connection over ${transport}, on a ${on} server`, async () => {
      const port = await serve(on, [])
      for (const name of FOREIGN) expect(await isLetIn[transport](port, name), name).toBe(false)
      for (const name of ['localhost', '127.0.0.1', '[::1]', 'app.localhost'])
        expect(await isLetIn[transport](port, name), name).toBe(true)
      const listed = await serve(on, ['app.example'])
      expect(await isLetIn[transport](listed, 'app.example')).toBe(true)
      expect(await isLetIn[transport](listed, 'evil.example')).toBe(false)
      // Whoever embeds it, and says nothing, is behind whatever name.
      expect(await isLetIn[transport](await serve(on), 'evil.example')).toBe(true)
    })

test('T54 [ORIG2] a foreign name reads no document over HTTP', async () => {
  const port = await serve('http', [])
  const read = async (host: string): Promise<unknown> => {
    const { status, body } = await ask(port, '/api/documents/a', host)
    return [status, (JSON.parse(body) as { code: string }).code]
  }
  for (const name of [...FOREIGN, 'not a name'])
    expect(await read(name), name).toEqual([403, 'host-not-allowed'])
  expect(await read(`localhost:${port}`)).toEqual([404, 'document-not-found'])
})
