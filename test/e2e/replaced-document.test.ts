import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

test('T15 [JOIN6] a document that is deleted and made anew while a client is offline: one final error, the unsent edits kept aside, nothing merged', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const open = (doc: Y.Doc): SocketIOProvider => {
    const provider = new SocketIOProvider(server.url, 'draft', doc, { maxBackoffTime: 100 })
    onTestFinished(() => provider.destroy())
    return provider
  }
  const offline = open(new Y.Doc())
  await offline.whenSynced
  offline.doc.getText('body').insert(0, 'old text')
  await offline.whenSaved()
  offline.disconnect()
  const saved = new Y.Doc()
  Y.applyUpdate(saved, Y.encodeStateAsUpdate(offline.doc))
  offline.doc.getText('body').insert(0, 'unsent: ')

  await deleteDocument(server, 'draft')
  const next = open(new Y.Doc())
  await next.whenSynced
  next.doc.getText('body').insert(0, 'new text')
  await next.whenSaved()

  const codes: string[] = []
  offline.on('error', ({ code }) => codes.push(code))
  offline.connect()
  await expect(offline.whenSynced).rejects.toMatchObject({
    code: 'document-reset',
    permanent: true,
  })
  expect([offline.shouldConnect, offline.saveState]).toEqual([false, 'unsaved'])

  expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('new text')
  expect([next.doc.getText('body').toJSON(), codes]).toEqual(['new text', ['document-reset']])
  Y.applyUpdate(saved, offline.pendingUpdate()!)
  expect(saved.getText('body').toJSON()).toBe('unsent: old text')
})

async function deleteDocument({ documents }: RunningServer, name: string): Promise<void> {
  const http = express().use(documents.router()).listen(0, '127.0.0.1')
  onTestFinished(() => void http.close())
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/documents/${name}`, { method: 'DELETE' })
  expect(response.status).toBe(204)
  http.closeAllConnections()
}
