import * as Y from 'yjs'
import type { DocumentName, Epoch } from '../../protocol/index.ts'
import { readParts, wholeSnapshot } from '../../src/document/stored-document.ts'
import { LevelStorage } from '../../src/storage/level-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { SimulatedDisk } from './disk.ts'
import { Life, Timeline } from './timeline.ts'

/** A document as a process finds it that opens the directory now. */
export interface Stored {
  readonly epoch: Epoch
  readonly seq: number
  readonly doc: Y.Doc
}

/** Reads documents from a copy of the disk, in no time. Rejects when one cannot be read. */
export async function readStored(
  disk: SimulatedDisk,
  names: readonly string[],
): Promise<ReadonlyMap<string, Stored>> {
  const timeline = new Timeline((error) => {
    throw error
  })
  const life = new Life('reader')
  const storage = new LevelStorage(disk.copy(timeline).filesFor(life), {})
  return drive(timeline, async () => {
    await storage.open()
    const found = new Map<string, Stored>()
    for (const name of names) found.set(name, await read(storage, name as DocumentName))
    await storage.close()
    return found
  })
}

/** Lets time pass until the work is done. */
async function drive<Result>(timeline: Timeline, work: () => Promise<Result>): Promise<Result> {
  let isDone = false
  const result = work().finally(() => (isDone = true))
  // A rejection is for whoever awaits the result; here it only ends the loop.
  result.catch(() => undefined)
  while (!isDone && (await timeline.step()));
  if (!isDone) await new Promise((resolve) => void setImmediate(resolve))
  if (!isDone) throw new Error('nothing more happens, and the work is not done')
  return result
}

async function read(storage: Storage, name: DocumentName): Promise<Stored> {
  const head = await storage.head(name)
  const parts = await readParts(storage, name, head, head.seq, wholeSnapshot)
  const doc = new Y.Doc()
  doc.transact(() => {
    if (parts.snapshot !== null) Y.applyUpdate(doc, parts.snapshot)
    for (const update of parts.updates) Y.applyUpdate(doc, update)
  })
  return { epoch: head.epoch, seq: head.seq, doc }
}
