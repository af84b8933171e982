import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from '/work/main/client/index.ts'
import { createServer } from 'node:http'
import { createDocumentServer, levelStorage } from 'y-rooms/server'
import { mkdtempSync } from 'node:fs'
test('smoke', async () => {
  const documents = createDocumentServer({ storage: levelStorage(mkdtempSync('/tmp/yr-')), logger: { debug() {}, info() {}, warn: console.log, error: console.log } as any })
  const http = createServer(); documents.attach(http); await documents.ready()
  await new Promise<void>(r => http.listen(0, '127.0.0.1', () => r()))
  const url = `http://127.0.0.1:${(http.address() as any).port}`
  const a = new SocketIOProvider(url, 'x'); const b = new SocketIOProvider(url, 'x', new Y.Doc(), {}, {})
  for (const p of [a, b]) p.on('error', e => console.log('ERR', e))
  await a.whenSynced; await b.whenSynced
  a.doc.getText('t').insert(0, 'hello')
  await a.whenSaved()
  a.awareness.setLocalStateField('user', { name: 'A' })
  await expect.poll(() => b.doc.getText('t').toString()).toBe('hello')
  await expect.poll(() => b.awareness.getStates().get(a.doc.clientID)).toEqual({ user: { name: 'A' } })
  const big = 'x'.repeat(1_200_000)
  b.doc.getText('t').insert(5, big)
  await b.whenSaved()
  await expect.poll(() => a.doc.getText('t').length).toBe(1_200_005)
  b.disconnect()
  await expect.poll(() => a.awareness.getStates().size).toBe(1)
  for (let i = 0; i < 1000; i++) b.doc.getText('t').insert(0, 'y')
  expect(b.unsyncedChanges).toBe(1000)
  b.connect(); await b.whenSaved()
  await documents.compact('x')
  const c = new SocketIOProvider({ url, name: 'x', socketIo: {} })
  const seen: unknown[] = []
  c.on('progress', e => seen.push(e))
  await c.whenSynced
  console.log(seen)
  expect(c.doc.getText('t').length).toBe(1_201_005)
  expect(c.unsyncedChanges).toBe(0)
  const d = new SocketIOProvider({ url, name: 'x', document: c.doc, awareness: null })
  await d.whenSynced; await d.whenSaved()
  for (const p of [a, b, c, d]) p.destroy()
  await documents.close(); http.closeAllConnections(); http.close()
})
