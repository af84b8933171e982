// `npm run bench:disk`: what a paper written as single keystrokes leaves on the disk, when each fold has the time that it needs. Sizes, no times.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { diskUsage } from './load/disk.mjs'
import { typeTrace } from './load/trace.mjs'
import { fold, levelStorage } from './product.mjs'
import { printTable } from './report.mjs'

const { values } = parseArgs({
  options: {
    edits: { type: 'string', default: '259778' },
    /** Keystrokes that are written to the log together. */
    batch: { type: 'string', default: '60' },
    /** Keystrokes from one snapshot to the next. */
    fold: { type: 'string', default: '6000' },
  },
})
const batch = Number(values.batch)
const foldAfter = Number(values.fold)
const NAME = 'paper'
const { updates, encodedBytes } = typeTrace(Number(values.edits), 1)
const directory = await mkdtemp(join(tmpdir(), 'y-rooms-disk-'))
const rows = []
let parts = { snapshot: null, index: null }
let foldedUpTo = 0

await withStorage('written and closed', async (storage, epoch) => {
  for (let seq = batch; seq - batch < updates.length; seq += batch) {
    const entries = updates
      .slice(seq - batch, seq)
      .map((update) => ({ update, author: null, receivedAt: Date.now() }))
    await storage.append([{ name: NAME, epoch, entries }])
    if (seq - foldedUpTo >= foldAfter && seq < updates.length) await foldUpTo(storage, epoch, seq)
  }
})
await withStorage('opened and closed', () => Promise.resolve())
await withStorage('folded and closed', (storage, epoch) => foldUpTo(storage, epoch, updates.length))
await rm(directory, { recursive: true })
printTable(rows)

async function foldUpTo(storage, epoch, seq) {
  const folded = fold({ ...parts, updates: updates.slice(foldedUpTo, seq) })
  await storage.replacePrefix(NAME, epoch, { seq, ...folded })
  // Refused when its turn has come: behind the removal of what was replaced.
  await storage.replacePrefix(NAME, epoch, { seq: 0, ...folded })
  parts = { snapshot: folded.update, index: folded.index }
  foldedUpTo = seq
}

async function withStorage(state, use) {
  const storage = levelStorage(directory)
  await storage.open()
  await use(storage, (await storage.head(NAME)).epoch)
  await storage.close()
  const bytes = await diskUsage(directory)
  rows.push({ state, bytes, 'of encoded': `${(bytes / encodedBytes).toFixed(2)}×` })
}
