import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'
import { applyEdit, readTrace, textAfter } from '../support/trace.ts'

/** How much of the trace is typed: all of it with `TRACE_EDITS=all`. */
const limit = process.env['TRACE_EDITS'] ?? '3000'
const trace = readTrace()
const edits = limit === 'all' ? trace : trace.slice(0, Number(limit))
/** One author types this many keystrokes, then the other goes on from the same text. */
const TURN = edits.length > 10_000 ? 100 : 10
const DOCUMENT = 'paper'

let directory: string
let server: RunningServer

beforeAll(async () => {
  directory = await makeTempDirectory()
  server = await startServer(directory, { compactAfterEntries: 1000 })
})

afterAll(() => server.close())

/** Resolves once the document has everything that the other has. */
function caughtUp(doc: Y.Doc, other: Y.Doc): Promise<void> {
  const target = Y.snapshot(other)
  return new Promise((resolve) => {
    const check = (): void => {
      if (!Y.equalSnapshots(Y.snapshot(doc), target)) return
      doc.off('update', check)
      resolve()
    }
    doc.on('update', check)
    check()
  })
}

async function join(): Promise<{ doc: Y.Doc; provider: SocketIOProvider }> {
  const doc = new Y.Doc()
  const provider = new SocketIOProvider(server.url, DOCUMENT, doc)
  await provider.whenSynced
  return { doc, provider }
}

describe('the main job', () => {
  test(
    `two providers type a real paper in turns (${edits.length} edits): both, a late joiner, and joiners after restart and compaction have exactly its text`,
    async () => {
      const expected = textAfter(edits)
      const authors = [await join(), await join()]
      let position = 0
      for (let turn = 0; position < edits.length; turn++) {
        const { doc } = authors[turn % 2]!
        const text = doc.getText('body')
        for (const edit of edits.slice(position, position + TURN)) applyEdit(text, edit)
        position += TURN
        await caughtUp(authors[(turn + 1) % 2]!.doc, doc)
      }
      const [left, right] = authors.map(({ doc }) => doc) as [Y.Doc, Y.Doc]
      await Promise.all(authors.map(({ provider }) => provider.whenSaved()))
      for (const { provider } of authors) expect(provider.unsyncedChanges).toBe(0)
      expect(left.getText('body').toString()).toBe(expected)
      expect(right.getText('body').toString()).toBe(expected)

      const late = await join()
      expect(late.doc.getText('body').toString()).toBe(expected)
      for (const { provider } of [...authors, late]) provider.destroy()

      await server.close()
      server = await startServer(directory)
      const restarted = await join()
      expect(restarted.doc.getText('body').toString()).toBe(expected)
      expectEqualDocuments(restarted.doc, left)

      await server.documents.compact(DOCUMENT)
      const compacted = await join()
      expect(compacted.doc.getText('body').toString()).toBe(expected)
      expectEqualDocuments(compacted.doc, left)
      for (const { provider } of [restarted, compacted]) provider.destroy()
    },
    limit === 'all' ? 1_800_000 : 240_000,
  )
})
