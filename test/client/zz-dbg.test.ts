import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from '../../client/index.ts'
import { createServer } from 'node:http'
import { createDocumentServer, levelStorage } from 'y-rooms/server'
import { mkdtempSync } from 'node:fs'
import { io } from 'socket.io-client'
test('dbg', async () => {
  const documents = createDocumentServer({ storage: levelStorage(mkdtempSync('/tmp/yr-')) })
  const http = createServer(); documents.attach(http); await documents.ready()
  await new Promise<void>(r => http.listen(0, '127.0.0.1', () => r()))
  const url = `http://127.0.0.1:${(http.address() as any).port}`
  const a = new SocketIOProvider(url, 'x')
  await a.whenSynced
  a.doc.getText('t').insert(0, 'x'.repeat(1_200_000))
  await a.whenSaved()
  await documents.compact('x')
  const s = io(url + '/y-rooms', { auth: { protocol: 1 } })
  const ans = await s.emitWithAck('join', { document: 'x', clientId: 5, key: 'aaaaaaaaaaaaaaaaaaaaa' })
  console.log(ans, ans.updates.map((u: any) => u.length))
  const c = new SocketIOProvider(url, 'x'); c.on('progress', (e: any) => console.log('P', e)); c.on('error', (e: any) => console.log(e)); await c.whenSynced; console.log(c.doc.getText('t').length); c.destroy()
  s.close(); a.destroy(); await documents.close(); http.closeAllConnections(); http.close()
})
