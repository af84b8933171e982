import { io } from 'socket.io-client'
import { expect, test } from 'vitest'
import { serveOn } from './serve-on.ts'

/** Whether a page of this origin gets a socket. */
async function isLetIn(url: string, transport: string, origin?: string): Promise<boolean> {
  const socket = io(`${url}/y-rooms`, {
    transports: [transport],
    forceNew: true,
    reconnection: false,
    ...(origin === undefined ? {} : { extraHeaders: { origin } }),
  })
  try {
    return await new Promise((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('connect_error', () => resolve(false))
    })
  } finally {
    socket.disconnect()
  }
}

for (const on of ['http', 'host'] as const)
  for (const transport of ['websocket', 'polling'])
    test(`T54 [ORIG1] a foreign page is refused over ${transport}, on a ${on} server`, async () => {
      const url = await serveOn(on)
      for (const origin of [
        'https://evil.example',
        'http://127.0.0.1.evil.example',
        'http://localhost.evil.example',
        'null',
        'file://',
        'not a url',
      ])
        expect(await isLetIn(url, transport, origin), origin).toBe(false)
      for (const origin of [undefined, url, 'http://localhost:5173', 'http://[::1]:3000'])
        expect(await isLetIn(url, transport, origin), origin).toBe(true)

      const listed = await serveOn(on, { allowedOrigins: ['https://app.example'] })
      expect(await isLetIn(listed, transport, 'https://app.example')).toBe(true)
      // A list is the whole list.
      for (const origin of ['https://app.example:8443', 'http://app.example', listed])
        expect(await isLetIn(listed, transport, origin), origin).toBe(false)
      const open = await serveOn(on, { allowedOrigins: '*' })
      expect(await isLetIn(open, transport, 'https://evil.example')).toBe(true)
    })

test('T54 [ORIG1] a foreign page cannot upgrade a connection that it did not open', async () => {
  const url = await serveOn('http')
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
    headers: { origin: 'https://evil.example' },
  })
  expect(answer.status).toBe(403)
  expect(await answer.text()).not.toContain('sid')
})
