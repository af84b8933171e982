import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, seedOnce } from 'y-rooms/client'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { readDocument } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

async function startHere(): Promise<string> {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  return server.url
}

function open(url: string, connect = true): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', new Y.Doc(), { connect })
  onTestFinished(() => provider.destroy())
  return provider
}

const welcome = (doc: Y.Doc): void => {
  doc.getText('body').insert(0, 'Welcome')
  doc.getMap('settings').set('title', 'Untitled')
}

const bodyOf = (doc: Y.Doc): string => doc.getText('body').toJSON()

describe('seeding', () => {
  test('T16 [SEED1] two clients that find the same empty document seed it once', async () => {
    const url = await startHere()
    const [one, two] = [open(url), open(url)]
    await Promise.all([one.whenSynced, two.whenSynced])
    expect([bodyOf(one.doc), bodyOf(two.doc)]).toEqual(['', ''])
    // In one turn: neither can have seen the other's.
    expect(seedOnce(one.doc, 'welcome', welcome)).toBe(true)
    expect(seedOnce(two.doc, 'welcome', welcome)).toBe(true)
    await Promise.all([one.whenSaved(), two.whenSaved()])
    const stored = await readDocument(url, 'draft')
    expect(bodyOf(stored)).toBe('Welcome')
    expectEqualDocuments(one.doc, stored)
    expectEqualDocuments(two.doc, stored)
  })

  test('T16 [SEED1] clients that seed offline, before they ever joined, seed once as well', async () => {
    const url = await startHere()
    const [one, two] = [open(url, false), open(url, false)]
    for (const { doc } of [one, two]) seedOnce(doc, 'welcome', welcome)
    one.doc.getText('body').insert(7, ', one')
    one.connect()
    await one.whenSynced
    await one.whenSaved()
    two.connect()
    await two.whenSynced
    await two.whenSaved()
    expect(bodyOf(two.doc)).toBe('Welcome, one')
    expectEqualDocuments(two.doc, await readDocument(url, 'draft'))
  })

  test('T16 [SEED2] who comes later adds nothing: not after the content was deleted, nor with a new version of it', async () => {
    const url = await startHere()
    const one = open(url)
    await one.whenSynced
    seedOnce(one.doc, 'welcome', welcome)
    one.doc.getText('body').delete(0, 7)
    await one.whenSaved()
    const late = open(url)
    await late.whenSynced
    expect(seedOnce(late.doc, 'welcome', welcome)).toBe(false)
    const newer = (doc: Y.Doc): void => doc.getText('body').insert(0, 'Welcome back')
    expect(seedOnce(late.doc, 'welcome', newer)).toBe(false)
    expect([bodyOf(late.doc), late.unsyncedChanges]).toEqual(['', 0])
    expect(seedOnce(late.doc, 'footer', newer)).toBe(true)
    await late.whenSaved()
    expect(bodyOf(await readDocument(url, 'draft'))).toBe('Welcome back')
  })

  test('[SEED3] content that differs from call to call is refused, and the document is as before', () => {
    const doc = new Y.Doc()
    let calls = 0
    const fill = (draft: Y.Doc): void => draft.getText('body').insert(0, `call ${calls++}`)
    expect(() => seedOnce(doc, 'welcome', fill)).toThrow(TypeError)
    expect(Y.encodeStateAsUpdate(doc)).toEqual(Y.encodeStateAsUpdate(new Y.Doc()))
  })

  test('[SEED3] a seed is not in the undo stack', () => {
    const doc = new Y.Doc()
    const undo = new Y.UndoManager(doc.getText('body'))
    seedOnce(doc, 'welcome', welcome)
    expect([bodyOf(doc), undo.undoStack.length]).toEqual(['Welcome', 0])
  })
})
