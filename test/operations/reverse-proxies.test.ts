import { Agent } from 'node:https'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { PROXY_PROGRAMS, startProxy, type ProxyKind, type ProxyProcess } from './proxy-process.ts'

interface Scene {
  readonly server: RunningServer
  readonly proxy: ProxyProcess
  /** The addresses that the server took its clients for. */
  readonly addresses: string[]
}

async function scene(kind: ProxyKind): Promise<Scene> {
  const addresses: string[] = []
  const server = await startServer(await tempDirectory(), {
    trustedProxies: 1,
    authenticate: ({ address }) => {
      addresses.push(address)
      return { id: 'somebody' }
    },
  })
  onTestFinished(() => server.close())
  const proxy = await startProxy(kind, await tempDirectory(), Number(new URL(server.url).port))
  onTestFinished(() => proxy.stop())
  return { server, proxy, addresses }
}

/** An editor behind the proxy, who claims to come from elsewhere. */
function edit({ proxy }: Scene, transport: 'websocket' | 'polling', from = '127.0.0.1') {
  // What the proxies sign with is made for each test.
  const agent = new Agent({ localAddress: from, rejectUnauthorized: false })
  const provider = new SocketIOProvider(proxy.url, 'draft', new Y.Doc(), {
    maxBackoffTime: 200,
    socketIo: {
      transports: [transport],
      rejectUnauthorized: false,
      agent: agent as unknown as string,
      extraHeaders: { 'x-forwarded-for': '203.0.113.9', origin: proxy.url },
    },
  })
  onTestFinished(() => {
    provider.destroy()
    agent.destroy()
  })
  return provider
}

const textOf = (provider: SocketIOProvider): Y.Text => provider.doc.getText('body')

for (const kind of ['nginx', 'haproxy'] as const)
  describe.skipIf(PROXY_PROGRAMS[kind] === undefined)(`${kind} with the sample of deploy/`, () => {
    test('[OPS1] editors over WebSocket and long polling, from addresses that they cannot choose', async () => {
      const behind = await scene(kind)
      const [ada, bob] = [
        edit(behind, 'websocket', '127.0.0.2'),
        edit(behind, 'polling', '127.0.0.3'),
      ]
      await Promise.all([ada.whenSynced, bob.whenSynced])
      textOf(ada).insert(0, 'hello ')
      await expect.poll(() => textOf(bob).toJSON()).toBe('hello ')
      textOf(bob).insert(6, 'x'.repeat(3_000_000))
      await bob.whenSaved()
      await expect.poll(() => textOf(ada).length).toBe(3_000_006)
      expect(new Set(behind.addresses)).toEqual(new Set(['127.0.0.2', '127.0.0.3']))
      expect(behind.server.errors).toEqual([])
    })

    test('[OPS1] a proxy that is given another configuration, and one that is gone for a while, lose nothing', async () => {
      const behind = await scene(kind)
      const [ada, bob] = [edit(behind, 'websocket'), edit(behind, 'polling')]
      await Promise.all([ada.whenSynced, bob.whenSynced])
      for (let letter = 0; letter < 40; letter++) {
        textOf(ada).insert(textOf(ada).length, 'a')
        textOf(bob).insert(0, 'b')
        if (letter === 10) behind.proxy.reload()
        await Promise.all([ada.whenSaved(), bob.whenSaved()])
      }
      await behind.proxy.stop()
      textOf(ada).insert(0, 'c')
      await expect.poll(() => [ada.status, bob.status]).not.toContain('connected')
      expect(ada.saveState).toBe('unsaved')
      const again = await startProxy(
        kind,
        await tempDirectory(),
        Number(new URL(behind.server.url).port),
        behind.proxy.port,
      )
      onTestFinished(() => again.stop())
      await ada.whenSaved()
      const isWhole = (provider: SocketIOProvider): boolean =>
        [...textOf(provider).toJSON()].sort().join('') === `${'a'.repeat(40)}${'b'.repeat(40)}c`
      await expect.poll(() => [ada, bob].map(isWhole)).toEqual([true, true])
      expect(textOf(bob).toJSON()).toBe(textOf(ada).toJSON())
    })
  })
