import type { Router } from 'express'
import { documentNameFault, isDocumentName, type DocumentName } from '../protocol/index.ts'
import { decideAccess, identify, reportingWrongAnswers } from './access/decisions.ts'
import type { User } from './access/access.ts'
import { AttachmentStore } from './attachments/attachment-store.ts'
import type { Transport } from './connection/connection.ts'
import { ParkedUploads } from './connection/parked-uploads.ts'
import { BulkPacer } from './connection/bulk-pacer.ts'
import type { Accepted } from './connection/accepted-connection.ts'
import { Gateway, type AttachTarget } from './connection/gateway.ts'
import { Compaction } from './document/compaction.ts'
import { DocumentEditor } from './document/document-editor.ts'
import { DocumentReader } from './document/document-reader.ts'
import { DocumentRegistry } from './document/document-registry.ts'
import { OpenDocument, type PendingEntry } from './document/open-document.ts'
import { RelayTurn } from './document/relay-turn.ts'
import { SnapshotCache } from './document/snapshot-cache.ts'
import { DocumentError } from './errors.ts'
import { documentHooks } from './document-hooks.ts'
import { documentsRouter, type DocumentsApi } from './http/documents-router.ts'
import { healthRouter } from './http/health-router.ts'
import { CommitLoop } from './log/commit-loop.ts'
import { threadWorker, type DocumentWorker } from './log/document-worker.ts'
import { StorageHealth } from './log/storage-health.ts'
import { resolveOptions, type ResolvedOptions, type ServerOptions } from './options.ts'
import { limitHits } from './telemetry/limit-hits.ts'
import { Metrics } from './telemetry/metrics.ts'

/** A document server. It owns its storage and worker threads; sockets and HTTP servers stay their host's. */
export interface DocumentServer {
  /** Resolves when the storage is open; rejects with its `StorageError`. Requests wait for it by themselves. */
  ready(): Promise<void>
  /** Serves an HTTP server, a Socket.IO server (namespace `/y-rooms`), or one namespace. Several are possible. */
  attach(target: AttachTarget): void
  /** Express: `/documents…`. Mount it where you like, for example at `/api`. */
  router(): Router
  /** Express: `/healthz`, `/readyz`, `/metrics`. */
  healthRouter(): Router
  /** A server-side editor of one document. Close it when done. */
  open(name: string): Promise<DocumentEditor>
  /** Folds the log of a document into a snapshot, and lets go of the log before it as far as it is not needed. Resolves when that is stored. */
  compact(name: string): Promise<void>
  /**
   * Asks `authorize` again about documents that are open: of one user (`id`), of one document, or all. Resolves when every
   * session goes by the answer: its client was told of other access, or that it has none any more (`access-revoked`). Who
   * changes permissions calls it. Throws `invalid-document-name`.
   */
  recheck(request?: { readonly user?: string; readonly document?: string }): Promise<void>
  /**
   * Stops accepting, waits for writes under way, tells clients to come back later, releases storage and threads: all of it
   * within `closeTimeoutMs`, whatever hangs. What was acknowledged is on disk in any case. Idempotent. The host's servers go on.
   */
  close(): Promise<void>
}

/** Of `closeTimeoutMs`. What is left of it then, at least the rest, is for releasing storage and threads: milliseconds, unless they or the disk hang. */
const FLUSH_SHARE = 0.8

/**
 * Makes a document server. Throws an `OptionError` that names the option when one is wrong; opens the storage at
 * once (see `ready`).
 */
export function createDocumentServer(options: ServerOptions): DocumentServer {
  return new Server(resolveOptions(options), threadWorker())
}

/** The parts put together. Applications use `createDocumentServer`; a simulation brings its own worker and transport. */
export class Server implements DocumentServer {
  readonly #options: ResolvedOptions
  readonly #worker: DocumentWorker
  readonly #commits: CommitLoop<PendingEntry>
  readonly #registry: DocumentRegistry
  readonly #reader: DocumentReader
  readonly #compaction: Compaction
  readonly #health: StorageHealth
  readonly #gateway: Gateway
  readonly #metrics: Metrics
  readonly #handleLimitHit: (limit: string) => void
  readonly #parkedUploads: ParkedUploads
  readonly #attachments: AttachmentStore | null
  readonly #editors = new Set<DocumentEditor>()
  readonly #opening: Promise<void>
  #state: 'opening' | 'open' | 'closing' = 'opening'
  #openFault: string | null = null
  #closing: Promise<void> | null = null

  constructor(options: ResolvedOptions, worker: DocumentWorker) {
    this.#options = options
    this.#worker = worker
    const { attachmentsDirectory: directory, maxAttachmentBytesPerDocument } = options
    this.#attachments =
      directory === null
        ? null
        : new AttachmentStore({ directory, maxBytesPerDocument: maxAttachmentBytesPerDocument })
    const { storage, clock, logger } = options
    this.#metrics = new Metrics({
      connections: () => this.#gateway.connectionCount,
      openDocuments: () => this.#registry.size,
      damagedDocuments: () => this.#registry.damagedCount,
    })
    this.#handleLimitHit = limitHits(this.#metrics.limitHits, logger)
    this.#health = new StorageHealth(storage, clock)
    this.#commits = new CommitLoop(
      storage,
      clock,
      {
        handleBatchCommitted: (entries, bytes, durationMs) => {
          this.#health.handleWritten()
          this.#metrics.updates.inc(entries)
          this.#metrics.updateBytes.inc(bytes)
          this.#metrics.commitSeconds.observe(durationMs / 1000)
        },
        handleBatchFailed: (error) => {
          this.#health.handleFailed(error)
          this.#metrics.commitFailures.inc()
        },
        handlePartyFailed: (name, error) =>
          logger.error('a document failed after a write', { document: name, error }),
      },
      { maxPendingBytes: options.maxPendingBytes, intervalMs: options.commitIntervalMs },
    )
    this.#compaction = new Compaction({
      storage,
      worker: this.#worker,
      logger,
      afterBytes: options.compactAfterBytes,
      afterEntries: options.compactAfterEntries,
      handleFailed: () => this.#metrics.compactionFailures.inc(),
    })
    const documentOptions = {
      ...options,
      relayTurn: new RelayTurn(clock),
      commits: this.#commits,
      onGrown: (document: OpenDocument) => this.#compaction.consider(document),
      ...documentHooks(options.hooks),
    }
    this.#registry = new DocumentRegistry({
      clock,
      idleUnloadMs: options.idleUnloadMs,
      load: async (name, handle) => {
        await this.#opening
        return OpenDocument.load({ handle, name }, documentOptions)
      },
      deleteStored: (name) => storage.delete(name),
      handleDamaged: (name, error) =>
        logger.error('a document is damaged and refused until an operator restores or deletes it', {
          document: name,
          error,
        }),
      compaction: () => this.#compaction,
    })
    this.#reader = new DocumentReader(
      storage,
      new SnapshotCache(storage, options.snapshotCacheBytes),
      this.#worker,
      clock,
    )
    this.#parkedUploads = new ParkedUploads(
      clock,
      options.parkedUploadBytes,
      options.uploadResumeMs,
    )
    this.#gateway = new Gateway(options, {
      ...options,
      checks: {
        handleChecked: (result) => this.#metrics.stateChecks.inc({ result }),
        handleHealed: (document) => {
          this.#metrics.divergences.inc()
          logger.warn('a copy of a client had diverged from the document; it was healed', {
            document,
          })
        },
      },
      parkedUploads: this.#parkedUploads,
      registry: this.#registry,
      reader: this.#reader,
      pacer: new BulkPacer(clock),
      handleLimitHit: this.#handleLimitHit,
    })
    this.#opening = storage.open().then(() => {
      this.#registry.noteDamaged(storage.damagedDocuments?.() ?? [])
      if (this.#state === 'opening') this.#state = 'open'
    })
    this.#opening.catch((error: unknown) => {
      this.#openFault = error instanceof Error ? error.message : String(error)
      logger.error('the storage did not open', { error })
    })
  }

  ready(): Promise<void> {
    return this.#opening
  }

  attach(target: AttachTarget): void {
    if (this.#state === 'closing')
      throw new DocumentError('server-closing', 'the server is closing')
    this.#gateway.attach(target)
  }

  /** What is held at this moment. */
  get holdings(): { readonly connections: number; readonly openDocuments: number } {
    return { connections: this.#gateway.connectionCount, openDocuments: this.#registry.size }
  }

  /** Takes in somebody who may come, over a transport that is not Socket.IO. */
  accept(transport: Transport, user: User | null): Accepted {
    return this.#gateway.accept(transport, { user, reauthenticate: () => Promise.resolve(user) })
  }

  router(): Router {
    return documentsRouter(this.documentsApi(), {
      ...this.#options,
      attachments: this.#attachments,
      handleLimitHit: this.#handleLimitHit,
    })
  }

  healthRouter(): Router {
    return healthRouter(
      {
        notReadyReason: () => this.#notReadyReason(),
        damagedDocuments: () => this.#registry.damagedCount,
        metrics: this.#metrics.registry,
      },
      this.#options.logger,
    )
  }

  async open(name: string): Promise<DocumentEditor> {
    this.#assertNotClosing()
    const lease = await this.#registry.acquire(checkedName(name))
    const editor = new DocumentEditor(lease, this.#options.storage, (ended) =>
      this.#editors.delete(ended),
    )
    this.#editors.add(editor)
    // The server may have begun to close while the document was loaded.
    if (this.#closing !== null) {
      await editor.close()
      this.#assertNotClosing()
    }
    return editor
  }

  async compact(name: string): Promise<void> {
    this.#assertNotClosing()
    const lease = await this.#registry.acquire(checkedName(name))
    try {
      await this.#compaction.run(lease.document)
      await this.#compaction.condense(lease.document)
    } finally {
      lease.release()
    }
  }

  async recheck({ user, document }: { user?: string; document?: string } = {}): Promise<void> {
    await this.#gateway.recheck({
      ...(user === undefined ? {} : { user }),
      ...(document === undefined ? {} : { document: checkedName(document) }),
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    this.#gateway.stopAccepting()
    this.#health.close()
    const { closeTimeoutMs, storage, logger, clock } = this.#options
    const startedAt = clock.now()
    const editors = Promise.all([...this.#editors].map((editor) => editor.close()))
    const isFlushed = await this.#settlesWithin(
      Promise.all([editors, this.#commits.whenIdle(), this.#compaction.close()]),
      closeTimeoutMs * FLUSH_SHARE,
    )
    if (!isFlushed) logger.warn('closing without waiting any longer for writes under way')
    const farewell = this.#gateway.close()
    this.#parkedUploads.close()
    this.#registry.close()
    // At once: a thread that does not end must not keep the storage from being closed.
    const released = Promise.all([storage.close(), this.#worker.close()])
    const restMs = closeTimeoutMs * (1 - FLUSH_SHARE)
    const leftMs = closeTimeoutMs - Math.max(0, clock.now() - startedAt)
    if (await this.#settlesWithin(released, Math.max(restMs, leftMs))) await released
    else {
      logger.error('the storage or a worker thread does not close; leaving it behind')
      released.catch((error: unknown) => logger.error('closing failed', { error }))
    }
    await farewell
  }

  #settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
    return settlesWithin(work, (expire) => this.#options.clock.setTimer(ms, expire))
  }

  #assertNotClosing(): void {
    if (this.#state === 'closing')
      throw new DocumentError('server-closing', 'the server is closing')
  }

  /** What fails because storage and threads are let go is refused like whatever comes after it. */
  async #whileOpen<Result>(read: () => Promise<Result>): Promise<Result> {
    await this.#opening
    try {
      return await read()
    } catch (error) {
      this.#assertNotClosing()
      throw error
    }
  }

  #notReadyReason(): string | null {
    if (this.#state === 'closing') return 'the server is closing'
    const fault = this.#openFault ?? this.#health.fault
    if (fault !== null) return `the storage failed: ${fault}`
    return this.#state === 'open' ? null : 'the storage is being opened'
  }

  /** What the HTTP API does, without HTTP. */
  documentsApi(): DocumentsApi {
    const { storage, authenticate, clock, hooks } = this.#options
    const authorize = reportingWrongAnswers(this.#options)
    return {
      authorizeRequest: async (handshake) => {
        const user = await identify(authenticate, handshake, clock.now())
        return { user, accessTo: async (name) => decideAccess(authorize, user, name) }
      },
      list: (request) => this.#whileOpen(() => storage.list(request)),
      readUpdate: async (name) => {
        const stored = await this.#whileOpen(() => this.#reader.whole(name))
        return stored && { epoch: stored.epoch, seq: stored.seq, update: stored.content }
      },
      readJson: async (name) => {
        const stored = await this.#whileOpen(() => this.#reader.json(name))
        return stored && { epoch: stored.epoch, seq: stored.seq, json: stored.content }
      },
      applyUpdate: async (name, update, author) => {
        this.#assertNotClosing()
        const lease = await this.#registry.acquire(name)
        try {
          if (hooks.has('beforeUpdate')) {
            lease.document.assertWellFormed(update)
            await hooks.beforeUpdate({ document: name, user: author, update })
          }
          const { seq } = await lease.document.accept(update, {
            origin: null,
            userId: author?.id ?? null,
          })
          return { seq }
        } finally {
          lease.release()
        }
      },
      delete: async (name) => {
        this.#assertNotClosing()
        await this.#opening
        await this.#registry.delete(name)
        await this.#attachments?.deleteAll(name)
      },
    }
  }
}

function checkedName(name: string): DocumentName {
  if (isDocumentName(name)) return name
  throw new DocumentError('invalid-document-name', documentNameFault(name) ?? 'invalid name')
}

function settlesWithin(
  work: Promise<unknown>,
  setTimer: (expire: () => void) => () => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = setTimer(() => resolve(false))
    work
      .then(
        () => resolve(true),
        () => resolve(true),
      )
      .finally(cancel)
  })
}
