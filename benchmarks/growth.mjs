// `npm run bench:growth`: does a keystroke cost more in a large document than in an empty one? The way of an update through check, log and
// relay inside this process, where nothing else could hide it; `npm run bench -- G` asks the same over sockets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { acceptCosts } from './accept-path.mjs'
import { makeDocument, storeDocument, typeInto } from './documents.mjs'
import { levelStorage } from './product.mjs'
import { median, printMachine, printTable } from './report.mjs'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '7' },
    keystrokes: { type: 'string', default: '2000' },
  },
})
const bytes = Number(values.megabytes) * 1_000_000
const rounds = Number(values.rounds)
const keystrokes = Number(values.keystrokes)
/** Keystrokes on their way at one time: what sixteen people who type at once have, or one who holds a key down. */
const WINDOW = 16

printMachine()
const directory = await mkdtemp(join(tmpdir(), 'y-rooms-growth-'))
try {
  const kinds = await prepare()
  printTable(await acceptCosts(directory, kinds, { rounds, keystrokes, window: WINDOW, median }))
} finally {
  await rm(directory, { recursive: true, force: true })
}

/** Every kind of document, stored, with the keystrokes of a client that has it open. */
async function prepare() {
  const storage = levelStorage(directory)
  await storage.open()
  const kinds = []
  for (const [kind, history] of [
    ['empty', null],
    ['large, short history', 'short'],
    ['large, long history', 'long'],
  ]) {
    const doc = history === null ? new Y.Doc() : makeDocument(bytes, history)
    if (history === null) doc.getText('body').insert(0, 'The text that is typed into.')
    const update = Y.encodeStateAsUpdate(doc)
    await storeDocument(storage, kind, update)
    kinds.push({ kind, keystrokes: typeInto(doc, keystrokes * (rounds + 1)) })
    doc.destroy()
  }
  await storage.close()
  return kinds
}
