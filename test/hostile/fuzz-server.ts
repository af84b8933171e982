import { Gateway } from '../../src/connection/gateway.ts'
import { Outbox } from '../../src/connection/outbox.ts'
import type { Transport } from '../../src/connection/connection.ts'
import type { ClientEvent } from '../../src/connection/client-events.ts'
import type { Accepted } from '../../src/connection/accepted-connection.ts'
import { systemClock } from '../../src/clock.ts'
import { Compaction } from '../../src/document/compaction.ts'
import { DocumentReader } from '../../src/document/document-reader.ts'
import { DocumentRegistry, type Lease } from '../../src/document/document-registry.ts'
import { OpenDocument, type PendingEntry } from '../../src/document/open-document.ts'
import { RelayTurn } from '../../src/document/relay-turn.ts'
import { SnapshotCache } from '../../src/document/snapshot-cache.ts'
import { ParkedUploads } from '../../src/connection/parked-uploads.ts'
import { BulkPacer } from '../../src/connection/bulk-pacer.ts'
import { CommitLoop } from '../../src/log/commit-loop.ts'
import type { DocumentWorker } from '../../src/log/document-worker.ts'
import { diff, fold, merge, toJson } from '../../src/log/fold.ts'
import { resolveOptions } from '../../src/options.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { isDocumentName, type DocumentName } from '../../protocol/index.ts'

/** Small, so that a fuzzer meets them. */
export const FUZZ_LIMITS = {
  maxUpdateBytes: 4096,
  maxPresenceBytes: 200,
  maxPresenceBytesPerDocument: 1024,
  maxDocumentsPerConnection: 6,
}

/** Folds in this thread: the scene stays in one process and in the order of its seed. */
const inlineWorker: DocumentWorker = {
  fold: (parts) => Promise.resolve().then(() => fold(parts)),
  diff: (parts, stateVector) => Promise.resolve().then(() => diff(parts, stateVector)),
  merge: (parts) => Promise.resolve().then(() => merge(parts)),
  toJson: (parts) => Promise.resolve().then(() => toJson(parts)),
  close: () => Promise.resolve(),
}

interface Sent {
  readonly event: string
  readonly args: readonly unknown[]
}

/** A connection without a socket: what it is sent is kept. */
export interface FuzzConnection {
  readonly sent: Sent[]
  readonly accepted: Accepted
  ask(event: ClientEvent, ...args: unknown[]): Promise<FuzzAnswer>
}

export interface FuzzAnswer {
  readonly ok: boolean
  readonly code?: string
  readonly retry?: string
  readonly [field: string]: unknown
}

/** The real gateway, connections, documents and commit loop over a storage in memory; no socket, no thread. */
export class FuzzServer {
  readonly errors: unknown[] = []
  readonly storage = memoryStorage()
  readonly #registry: DocumentRegistry
  readonly #compaction: Compaction
  readonly #commits: CommitLoop<PendingEntry>
  readonly #gateway: Gateway
  readonly #parkedUploads: ParkedUploads
  readonly #accepted: Accepted[] = []

  constructor() {
    const ignore = (): void => undefined
    const { storage } = this
    const logger = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message: string, fields?: unknown) => void this.errors.push([message, fields]),
    }
    const options = resolveOptions({
      storage,
      logger,
      relayIntervalMs: 0,
      presenceIntervalMs: 0,
      // Every scene folds a few times.
      compactAfterEntries: 20,
      ...FUZZ_LIMITS,
    })
    const quiet = {
      handleBatchCommitted: ignore,
      handleBatchFailed: (error: unknown) => void this.errors.push(error),
      handlePartyFailed: (_name: unknown, error: unknown) => void this.errors.push(error),
    }
    this.#commits = new CommitLoop(storage, systemClock, quiet, {
      maxPendingBytes: options.maxPendingBytes,
      intervalMs: 0,
    })
    this.#compaction = new Compaction({
      storage,
      worker: inlineWorker,
      logger,
      afterBytes: options.compactAfterBytes,
      afterEntries: options.compactAfterEntries,
      handleFailed: (...failure: unknown[]) => void this.errors.push(failure),
    })
    this.#registry = new DocumentRegistry({
      clock: systemClock,
      idleUnloadMs: 0,
      load: (name, handle) =>
        OpenDocument.load(
          { handle, name },
          {
            ...options,
            relayTurn: new RelayTurn(systemClock),
            commits: this.#commits,
            onGrown: (document) => this.#compaction.consider(document),
          },
        ),
      deleteStored: (name) => storage.delete(name),
      handleDamaged: (...damaged: unknown[]) => void this.errors.push(damaged),
      compaction: () => this.#compaction,
    })
    this.#parkedUploads = new ParkedUploads(
      options.clock,
      options.parkedUploadBytes,
      options.uploadResumeMs,
    )
    this.#gateway = new Gateway(options, {
      ...options,
      registry: this.#registry,
      reader: new DocumentReader(storage, new SnapshotCache(storage, 1_000_000), inlineWorker),
      pacer: new BulkPacer(options.clock),
      checks: { handleChecked: () => undefined, handleHealed: () => undefined },
      parkedUploads: this.#parkedUploads,
      handleLimitHit: () => undefined,
    })
  }

  open(): Promise<void> {
    return this.storage.open()
  }

  connect(): FuzzConnection {
    const sent: Sent[] = []
    const outbox = new Outbox({
      clock: systemClock,
      softBytes: 1e9,
      hardBytes: 1e9,
      stallMs: 600_000,
      onStalled: () => undefined,
    })
    const transport: Transport = {
      outbox,
      send: (event, args) => void sent.push({ event, args }),
      disconnect: () => undefined,
    }
    const accepted = this.#gateway.accept(transport, {
      user: null,
      reauthenticate: () => Promise.resolve(null),
    })
    this.#accepted.push(accepted)
    return {
      sent,
      accepted,
      ask: (event, ...args) =>
        new Promise((resolve, reject) => {
          let answers = 0
          accepted.receive(event, args, (answer) => {
            if (++answers > 1) reject(new Error(`${event} was answered twice`))
            resolve(answer as FuzzAnswer)
          })
        }),
    }
  }

  lease(name: string): Promise<Lease> {
    if (!isDocumentName(name)) throw new TypeError(name)
    return this.#registry.acquire(name)
  }

  fold(document: OpenDocument): Promise<void> {
    return this.#compaction.run(document)
  }

  /** Every byte of a document's log. */
  async log(name: string): Promise<string> {
    const head = await this.storage.head(name as DocumentName)
    const entries = await this.storage.readEntries(name as DocumentName, head.epoch, 0, 1e9)
    return entries.map(({ update }) => Buffer.from(update).toString('hex')).join(' ')
  }

  async close(): Promise<void> {
    await this.#gateway.close()
    for (const accepted of this.#accepted) accepted.handleDisconnect()
    await this.#compaction.close()
    this.#registry.close()
    this.#parkedUploads.close()
    await this.storage.close()
  }
}
