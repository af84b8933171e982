import type * as Y from 'yjs'
import { DocumentChanges } from './document-changes.ts'
import type { DocumentSyncHandlers } from './document-sync-options.ts'
import { DocumentSync } from './document-sync.ts'
import { documentTabs } from './document-tabs.ts'
import { LocalCopy, type PersistenceSource } from './local-copy.ts'
import type { ProviderError } from './provider-error.ts'
import { NamedProvider } from './provider-names.ts'
import { DEFAULT_SELF_CHECK_MS } from './provider-options.ts'
import type { SocketIOProvider } from './provider.ts'
import { SaveLedger } from './save-ledger.ts'
import { SaveStatus, type SaveStatusHandlers } from './save-status.ts'
import { Subdocuments } from './subdocuments.ts'
import type { TabChannel } from './tab-channel.ts'

/** A Y.Doc, which is one history of the document, and everything that goes with it. */
export interface BoundDocument {
  readonly doc: Y.Doc
  readonly ledger: SaveLedger
  readonly local: LocalCopy
  readonly sync: DocumentSync
  readonly changes: DocumentChanges
  readonly saving: SaveStatus
  readonly tabs: TabChannel
  readonly subdocuments: Subdocuments<SocketIOProvider> | null
}

interface BoundDocumentHandlers {
  readonly clientId: () => number
  /** The server tells of this client's presence. */
  readonly isOfServer: (clientId: number) => boolean
  /** The one that is bound at the moment: this one, as soon as it is made. */
  readonly bound: () => BoundDocument
  readonly follow: (subdocument: Y.Doc) => SocketIOProvider
  readonly sync: DocumentSyncHandlers
  readonly changes: ConstructorParameters<typeof DocumentChanges>[0]['handlers']
  readonly saving: SaveStatusHandlers
  readonly local: {
    handleLoaded(): void
    handleError(error: ProviderError): void
  }
}

/** Binds a Y.Doc to the document of a provider. Nothing happens before the provider has what this returns. */
export function bindDocument(
  doc: Y.Doc,
  source: PersistenceSource | undefined,
  provider: SocketIOProvider,
  handlers: BoundDocumentHandlers,
): BoundDocument {
  const { name: documentName, url: serverUrl, connection, configuration } = provider
  const { clock, maxBackoffMs } = connection
  const { selfCheckIntervalMs = DEFAULT_SELF_CHECK_MS, subdocs } = configuration
  const { bound } = handlers
  const place = { doc, documentName, serverUrl, clock }
  const ledger = new SaveLedger(doc, () => bound().saving.refresh())
  const sync = new DocumentSync({
    ...place,
    clientId: handlers.clientId,
    ledger,
    maxBackoffMs,
    isWaitingForTabs: () => bound().tabs.isWaiting,
    selfCheckIntervalMs,
    origin: provider,
    handlers: handlers.sync,
  })
  const local = new LocalCopy({
    ...place,
    source,
    waitMs: configuration.waitForPersistence,
    ledger,
    isConfirmed: (origin) => bound().changes.isConfirmed(origin),
    isStoredElsewhere: (origin) => bound().tabs.isStoredByAuthor(origin),
    handlers: {
      ...handlers.local,
      handleStored: () => bound().saving.refresh(),
      handleLate: () => sync.rejoin(),
    },
  })
  const saving = new SaveStatus({
    ledger,
    clock,
    isLive: () => sync.isLive,
    isStored: () => local.isStored,
    handlers: {
      ...handlers.saving,
      handleChange: () => {
        // A reader's zero only says that it sends nothing.
        const isSaved = ledger.unsyncedChanges === 0 && sync.isLive && !sync.isReadOnly
        if (isSaved && !bound().tabs.isWaiting) local.handleSaved()
        bound().tabs.refresh()
        handlers.saving.handleChange()
      },
    },
  })
  const changes = new DocumentChanges({
    doc,
    // Another provider on this Y.Doc may bring it.
    isFromServer: (origin) =>
      origin instanceof NamedProvider &&
      origin.name === documentName &&
      origin.serverUrl === serverUrl,
    isReadOnly: () => sync.isReadOnly,
    isLive: () => sync.isLive,
    isTaken: (origin) => local.takesChange(origin) || tabs.takesChange(origin),
    handlers: handlers.changes,
  })
  const tabs = documentTabs({ doc, ledger, local, sync, changes, saving }, provider, {
    isOfServer: handlers.isOfServer,
    handleError: handlers.local.handleError,
  })
  const subdocuments = subdocs === 'auto' ? new Subdocuments(doc, handlers.follow) : null
  return { doc, ledger, local, sync, changes, saving, tabs, subdocuments }
}
