import { cp } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { deleteDocument } from '../support/delete-document.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

let directory: string
let server: RunningServer
let port = 0
const ends: (() => void)[] = []

beforeEach(async () => {
  directory = await tempDirectory()
  server = await startServer(directory)
  port = Number(new URL(server.url).port)
})

afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await server.close()
})

interface Person {
  readonly provider: SocketIOProvider
  readonly doc: Y.Doc
  readonly errors: string[]
  type(text: string): void
  text(): string
}

function open(name = 'draft'): Person {
  const doc = new Y.Doc()
  const provider = new SocketIOProvider(server.url, name, doc, {
    socketIo: {},
    maxBackoffTime: 100,
  })
  ends.push(() => provider.destroy())
  const errors: string[] = []
  provider.on('error', ({ code }) => errors.push(code))
  const body = doc.getText('body')
  return {
    provider,
    doc,
    errors,
    type: (text) => body.insert(body.length, text),
    text: () => body.toJSON(),
  }
}

/** Copies the data directory as an operator does: while nobody writes. */
async function backUp(): Promise<string> {
  const copy = await tempDirectory()
  await server.close()
  await cp(directory, copy, { recursive: true })
  server = await startServer(directory, {}, port)
  return copy
}

/** The server goes down, the older directory takes the place of the newer, and the server comes up on the same port. */
async function restore(backup: string): Promise<void> {
  await server.close()
  directory = backup
  server = await startServer(directory, {}, port)
}

const saved = ({ provider }: Person): Promise<unknown> =>
  expect.poll(() => [provider.synced, provider.saveState]).toEqual([true, 'saved'])

test('T14 everybody brings back what the backup lacks: who was there, who was away, with folded logs, deletions too', async () => {
  const [there, away, reader] = [open(), open(), open()]
  for (const { provider } of [there, away, reader]) await provider.whenSynced
  there.type('before. ')
  await there.provider.whenSaved()
  await expect.poll(() => away.text()).toBe('before. ')
  const backup = await backUp()
  for (const person of [there, away, reader]) await saved(person)
  there.type('after, folded. ')
  await there.provider.whenSaved()
  await server.documents.compact('draft')
  away.type('after too. ')
  await away.provider.whenSaved()
  there.doc.getText('body').delete(0, 2)
  await there.provider.whenSaved()
  await expect.poll(() => away.text()).toBe(there.text())
  away.provider.disconnect()
  away.type('offline. ')

  await restore(backup)
  await saved(there)
  // Somebody who never saw what was lost.
  const newcomer = open()
  await newcomer.provider.whenSynced
  newcomer.doc.getText('body').insert(0, 'new: ')
  await newcomer.provider.whenSaved()
  away.provider.connect()
  for (const person of [away, there, newcomer, reader]) await saved(person)
  await expect.poll(() => there.text()).toBe('new: fore. after, folded. after too. offline. ')
  const people = [there, away, newcomer, reader]
  for (const person of people) await expect.poll(() => person.text()).toBe(there.text())
  for (const person of people) expectEqualDocuments(person.doc, there.doc)
  expectEqualDocuments(await readDocument(server.url, 'draft'), there.doc)
  for (const { errors } of people) expect(errors).not.toContain('document-reset')
  expect(server.errors).toEqual([])
})

test('T14 a document that the backup does not know at all comes back whole', async () => {
  const person = open('later')
  await person.provider.whenSynced
  const backup = await backUp()
  await saved(person)
  person.type('written after the backup')
  await person.provider.whenSaved()
  await restore(backup)
  await saved(person)
  expectEqualDocuments(await readDocument(server.url, 'later'), person.doc)
})

test('T14 T15 a document that was deleted and made anew since the backup: whoever has the newer history is told, and the older one is whole', async () => {
  const first = open()
  await first.provider.whenSynced
  first.type('older')
  await first.provider.whenSaved()
  first.provider.destroy()
  const backup = await backUp()
  await deleteDocument(server.documents, 'draft')
  const second = open()
  await second.provider.whenSynced
  second.type('newer')
  await second.provider.whenSaved()
  await restore(backup)
  await expect.poll(() => second.errors).toContain('document-reset')
  expect([second.text(), second.provider.shouldConnect]).toEqual(['newer', false])
  expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('older')
})
