import type { BoundDocument } from './bound-document.ts'
import { knownEpoch, rememberEpoch } from './known-epochs.ts'
import type { ProviderError } from './provider-error.ts'
import type { SocketIOProvider } from './provider.ts'
import { TabChannel } from './tab-channel.ts'
import { browserTabs } from './tab-port.ts'
import { tabScopeName } from './tab-scope.ts'

interface DocumentTabsHandlers {
  /** The server tells of this client itself. */
  readonly isOfServer: (clientId: number) => boolean
  readonly handleError: (error: ProviderError) => void
}

/** What a provider has to do with other tabs that have its document. */
export function documentTabs(
  bound: Omit<BoundDocument, 'tabs' | 'subdocuments'>,
  provider: SocketIOProvider,
  { isOfServer, handleError }: DocumentTabsHandlers,
): TabChannel {
  const { doc, ledger, sync, local, changes, saving } = bound
  const { name: documentName, url: serverUrl, connection, configuration } = provider
  const mayShare = (): boolean =>
    !provider.readOnly && !sync.isReadOnly && ledger.rejection === null
  return new TabChannel({
    doc,
    documentName,
    awareness: provider.awareness,
    clock: connection.clock,
    openPort: configuration.tabs ?? browserTabs,
    scopeName: () => {
      const { auth } = configuration
      return tabScopeName({ serverUrl, documentName, token: connection.token, auth, connection })
    },
    standing: () => ({
      epoch: knownEpoch(doc, serverUrl, documentName),
      uploads: sync.isLive && mayShare(),
      hasUnsaved: ledger.unsyncedChanges > 0,
      storage: local.sharedName,
      isStored: local.isOwnStored,
    }),
    mayShare,
    // What comes from the disk need not come from a tab.
    mayAsk: () => !local.isLoading,
    isKnownToTabs: (origin) =>
      changes.isConfirmed(origin) || (origin !== null && origin === local.persistence),
    isOfServer,
    handlers: {
      handleEpoch: (epoch) => {
        rememberEpoch(doc, serverUrl, documentName, epoch)
        local.handleEpoch(epoch)
      },
      handleAbandoned: () => {
        ledger.markUnverified()
        sync.rejoin()
      },
      handleWaiting: (update) => local.storeWaiting(update),
      handleGone: () => local.handleTabGone(),
      handleStanding: () => saving.refresh(),
      handleStoredElsewhere: () => local.handleStoredElsewhere(),
      handleError,
    },
  })
}
