import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { DocumentName } from '../../protocol/index.ts'
import { Compaction } from '../../src/document/compaction.ts'
import { DocumentReader } from '../../src/document/document-reader.ts'
import { OpenDocument, type PendingEntry } from '../../src/document/open-document.ts'
import { RelayTurn } from '../../src/document/relay-turn.ts'
import { SnapshotCache } from '../../src/document/snapshot-cache.ts'
import { CommitLoop } from '../../src/log/commit-loop.ts'
import { fold } from '../../src/log/fold.ts'
import { NUMBER_OPTIONS } from '../../src/number-options.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { gatedStorage } from '../support/gated-storage.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { updateOf } from '../support/raw-client.ts'
import { DEFAULT_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'

const NAME = 'scene' as DocumentName
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function scene(recentBytes = 1_000_000, logger = silentLogger) {
  const clock = new ManualClock()
  const storage = gatedStorage(memoryStorage())
  await storage.open()
  const observer = {
    handleBatchCommitted: () => undefined,
    handleBatchFailed: () => undefined,
    handlePartyFailed: () => undefined,
  }
  const commits = new CommitLoop<PendingEntry>(storage, clock, observer, {
    maxPendingBytes: Infinity,
    intervalMs: 0,
  })
  const compaction = new Compaction({
    storage,
    worker: { fold: (parts: Parameters<typeof fold>[0]) => Promise.resolve(fold(parts)) } as never,
    logger,
    afterBytes: 1_000_000,
    afterEntries: 10,
    handleFailed: () => undefined,
  })
  const load = (): Promise<OpenDocument> =>
    OpenDocument.load(
      { handle: 1, name: NAME },
      {
        storage,
        commits,
        clock,
        logger: silentLogger,
        relayTurn: new RelayTurn(clock),
        relayIntervalMs: 0,
        recentBytes,
        presenceIntervalMs: 50,
        presenceRefreshMs: 12_000,
        maxPresenceBytes: NUMBER_OPTIONS.maxPresenceBytes.default,
        maxPresenceBytesPerDocument: NUMBER_OPTIONS.maxPresenceBytesPerDocument.default,
        maxDocumentBytes: 1e9,
        scanLimits: DEFAULT_SCAN_LIMITS,
        onGrown: () => undefined,
      },
    )
  const document = await load()
  const doc = new Y.Doc()
  const write = async (...texts: string[]): Promise<void> => {
    const accepted = texts.map((text) =>
      document.accept(
        updateOf(doc, () => doc.getText('body').insert(0, text)),
        { origin: null, userId: null },
      ),
    )
    for (let turn = 0; turn < 5; turn++) {
      clock.endTurn()
      await macrotask()
    }
    await Promise.all(accepted)
  }
  return { storage, compaction, document, doc, write, load }
}

describe('folding an open document', () => {
  test('T6 [LOG4] entries that are written while a snapshot is stored stay in the log after it', async () => {
    const { storage, compaction, document, doc, write, load } = await scene()
    await write('a', 'b', 'c')
    const storing = storage.hold('replacePrefix')
    const run = compaction.run(document)
    await storing
    await write('late')
    storage.release('replacePrefix')
    await run
    expect([document.snapshot?.seq, document.head, document.tailEntries]).toEqual([3, 4, 1])
    const again = await load()
    expect([again.head, again.index.equals(document.index)]).toEqual([4, true])
    const stored = new Y.Doc()
    const { epoch, snapshot } = await storage.head(NAME)
    Y.applyUpdate(stored, (await storage.readSnapshotChunk(NAME, epoch, snapshot!.seq, 0))!)
    for (const entry of await storage.readEntries(NAME, epoch, snapshot!.seq, 1e6))
      Y.applyUpdate(stored, entry.update)
    expectEqualDocuments(stored, doc)
  })

  test('T9 a fold that loses its storage to a server that closes is no error: the log is whole', async () => {
    const said: string[] = []
    const { storage, compaction, document, write, load } = await scene(1_000_000, {
      ...silentLogger,
      warn: (message) => said.push(`warn: ${message}`),
      error: (message) => said.push(`error: ${message}`),
    })
    await write('a', 'b', 'c')
    let closing: Promise<void> = Promise.resolve()
    storage.replacePrefix = () => {
      closing = compaction.close()
      return Promise.reject(new Error('The storage is not open.'))
    }
    await compaction.run(document)
    await closing
    expect(said).toEqual(['warn: a fold ended with the server'])
    expect((await load()).head).toBe(3)
  })

  test('[LOG12] what a burst left while its beginning was folded is folded next, without another edit', async () => {
    const { storage, compaction, document, write } = await scene()
    await write('a', 'b', 'c')
    const storing = storage.hold('replacePrefix')
    const run = compaction.run(document)
    await storing
    await write(...Array.from({ length: 12 }, () => 'late'))
    storage.release('replacePrefix')
    await run
    await compaction.whenIdle()
    expect([document.snapshot?.seq, document.tailEntries]).toEqual([15, 0])
  })

  test('[LOG12] the log of a large document is folded after more entries than that of a small one', async () => {
    const { compaction, document, write } = await scene()
    await write('x'.repeat(4 * 48 * 1024))
    await compaction.run(document)
    const due: number[] = []
    for (let entries = 1; entries <= 45; entries++) {
      await write('y')
      if (compaction.isDue(document)) due.push(entries)
    }
    // Four times 48 KiB and a little more: four times as many as would be enough for a small one.
    expect(due[0]).toBeGreaterThanOrEqual(41)
    expect(due.at(-1)).toBe(45)
    const small = await scene()
    await small.write(...Array.from({ length: 11 }, () => 'y'))
    expect(small.compaction.isDue(small.document)).toBe(true)
  })

  test.each(['the write of it fails', 'the head cannot be read after it'] as const)(
    'T8 [LOG13] a snapshot that is stored although %s is known to the document',
    async (failure) => {
      const { storage, compaction, document, write } = await scene()
      await write('a', 'b', 'c')
      const { replacePrefix, head } = storage
      storage.replacePrefix = async (...args) => {
        const isStored = await replacePrefix(...args)
        if (failure === 'the write of it fails') throw new Error('done, and reported as failed')
        storage.head = () => {
          storage.head = head
          return Promise.reject(new Error('not read'))
        }
        return isStored
      }
      await compaction.run(document)
      await document.whenLoaded()
      expect([document.snapshot?.seq, document.tailEntries, document.tailBytes]).toEqual([3, 0, 0])
    },
  )

  test('[JOIN10] a newcomer that was sent to entries which nobody said were folded is sent to their snapshot the next time', async () => {
    const { storage, compaction, document, doc, write, load } = await scene(0)
    for (const text of ['a', 'b']) {
      await write(text)
      // Folded by another instance of the document.
      await compaction.run(await load())
    }
    await write('c')
    const reader = new DocumentReader(storage, new SnapshotCache(storage, 0), {} as never)
    const join = async () => {
      await document.whenLoaded()
      return reader.catchUp(document, null, new Map(), new Uint8Array([0]))
    }
    await expect(join()).rejects.toMatchObject({ code: 'cursor-too-old', retry: 'resync' })
    const copy = new Y.Doc()
    for (const update of (await join()).updates) Y.applyUpdate(copy, update)
    expectEqualDocuments(copy, doc)
  })

  test('[LOG7] a fold’s deletions that no update names are known to the open document as they are to one read anew', async () => {
    const { compaction, document, write, load } = await scene()
    // Two set the same key, neither knowing of the other: the one who loses is deleted by every Yjs, and by no update.
    for (const clientId of [1, 2]) {
      const author = new Y.Doc()
      author.clientID = clientId
      await accept(
        document,
        updateOf(author, () => author.getMap('m').set('key', clientId)),
      )
      await write('more')
    }
    expect(decodedDeletes(document.index.deleteSetUpdate())).toEqual([])
    await compaction.run(document)
    expect(decodedDeletes(document.index.deleteSetUpdate())).toEqual([1])
    expect(document.index.equals((await load()).index)).toBe(true)

    async function accept(target: OpenDocument, update: Uint8Array): Promise<void> {
      const accepted = target.accept(update, { origin: null, userId: null })
      await write('beside')
      await accepted
    }
  })

  test('T34 [LOG11] of an update that overlaps what the document has, only what is new is in the log', async () => {
    const { storage, document, doc, write } = await scene()
    await write('a', 'b')
    doc.getText('body').insert(0, 'c')
    const whole = Y.encodeStateAsUpdate(doc)
    const accepted = document.accept(whole, { origin: null, userId: null })
    await write('d')
    expect(await accepted).toMatchObject({ seq: 3 })
    const entries = await storage.readEntries(NAME, document.epoch, 0, 1e6)
    const clocks = entries.map(({ update }) =>
      Y.decodeUpdate(update).structs.map(({ id }) => id.clock),
    )
    expect(clocks).toEqual([[0], [1], [2], [3]])
    expect(document.recent.after(2)[0]?.update).toEqual(entries[2]?.update)
  })
})

/** The clients of which something is deleted. */
function decodedDeletes(update: Uint8Array): number[] {
  return [...Y.decodeUpdate(update).ds.clients.keys()]
}
