import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { DocumentServer } from 'y-rooms/server'

/** Deletes a document as an application does, through the HTTP routes. */
export async function deleteDocument(documents: DocumentServer, name: string): Promise<void> {
  const http = express().use(documents.router()).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/documents/${encodeURIComponent(name)}`
  const { status } = await fetch(url, { method: 'DELETE' })
  http.closeAllConnections()
  await new Promise<void>((resolve) => http.close(() => resolve()))
  if (status !== 204) throw new Error(`deleting ${name} was answered with ${status}`)
}
