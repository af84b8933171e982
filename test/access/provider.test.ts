import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from 'y-rooms/client'
import type { Access } from 'y-rooms/server'
import { accessServer, token } from './access-scene.ts'

function open(url: string, options: ProviderOptions): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', new Y.Doc(), { shared: false, ...options })
  onTestFinished(() => {
    provider.destroy()
    provider.doc.destroy()
  })
  return provider
}

const heard = (provider: SocketIOProvider, event: 'scope' | 'closed'): Promise<unknown> =>
  new Promise((resolve) => provider.once(event, (what: unknown) => resolve(what)))

test('T51 T52 [ACC3] a provider follows downgrade, upgrade and revocation without joining again', async () => {
  let access: Access = 'write'
  const { url, documents, clock } = await accessServer({ authorize: () => access })
  const provider = open(url, { token: await token(clock) })
  await provider.whenSynced
  provider.doc.getText('body').insert(0, 'saved ')
  await provider.whenSaved()

  access = 'read'
  let changed = heard(provider, 'scope')
  await documents.recheck()
  expect(await changed).toMatchObject({ scope: 'readonly', reason: 'access-changed' })
  provider.doc.getText('body').insert(6, 'rejected')
  await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'read-only' })
  expect(provider.saveState).toBe('rejected')

  access = 'write'
  changed = heard(provider, 'scope')
  await documents.recheck({ user: 'ada' })
  expect(await changed).toMatchObject({ scope: 'read-write' })
  await provider.whenSaved()
  const reader = await documents.open('draft')
  expect(await reader.read((doc) => doc.getText('body').toJSON())).toBe('saved rejected')
  await reader.close()

  access = 'none'
  const closed = heard(provider, 'closed')
  await documents.recheck({ document: 'draft' })
  expect(await closed).toMatchObject({ code: 4403, reason: 'access-revoked' })
  provider.doc.getText('body').insert(0, 'kept ')
  expect(provider.pendingUpdate()).not.toBeNull()
})

test('T53 [AUTH2] [AUTH3] a token function keeps a provider in the document past the end of its tokens', async () => {
  const { url, clock } = await accessServer()
  const asked: string[] = []
  const provider = open(url, {
    token: async (reason) => {
      const made = await token(clock, { exp: Math.floor(clock.now() / 1000) + 60 })
      asked.push(reason)
      return made
    },
  })
  await provider.whenSynced
  let downs = 0
  provider.on('sync', (synced) => {
    if (!synced) downs++
  })
  for (let round = 1; round <= 3; round++) {
    clock.advance(55_000)
    await expect.poll(() => asked.length).toBe(round + 1)
    provider.doc.getText('body').insert(0, 'x')
    await provider.whenSaved()
  }
  expect([downs, asked]).toEqual([0, ['connect', 'expiring', 'expiring', 'expiring']])

  // Asleep past warning and end.
  clock.advance(120_000)
  provider.doc.getText('body').insert(0, 'y')
  await provider.whenSaved()
  expect([provider.status, provider.saveState]).toEqual(['connected', 'saved'])
})

test('T53 [AUTH2] setToken widens what a provider may do', async () => {
  const { url, clock } = await accessServer()
  const provider = open(url, { token: await token(clock, { documents: { draft: 'read' } }) })
  await provider.whenSynced
  expect(provider.readOnly).toBe(true)
  await provider.setToken(await token(clock))
  expect(provider.readOnly).toBe(false)
  provider.doc.getText('body').insert(0, 'x')
  await provider.whenSaved()
  await expect(provider.setToken('nonsense')).rejects.toMatchObject({ code: 'unauthenticated' })
  expect(provider.synced).toBe(true)
})
