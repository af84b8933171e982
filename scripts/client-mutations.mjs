/** Faults in what the client does with tabs and with the copy on the device. */
export const CLIENT_MUTATIONS = [
  {
    name: 'device: every tab is trusted to upload',
    file: 'client/tab-channel.ts',
    search: 'return this.#author.uploads || !this.#author.hasUnsaved',
    replace: 'return true',
    tests: ['test/client/tab-channel'],
  },
  {
    name: 'device: nobody succeeds a tab that is gone',
    file: 'client/tab-channel.ts',
    search: 'if (this.#options.mayShare()) this.#options.handlers.handleAbandoned()',
    replace: 'void this.#options',
    tests: ['test/client/tab-channel'],
  },
  {
    name: 'device: tabs of different histories exchange content',
    file: 'client/tab-channel.ts',
    search: 'if (message.epoch !== null && ours !== null && message.epoch !== ours) {',
    replace: `if (message.epoch === '' && ours !== null && message.epoch !== ours) {`,
    tests: ['test/client/tab-channel'],
  },
  {
    name: 'device: what a tab sent and does not fit yet is forgotten',
    file: 'client/tab-channel.ts',
    search: `      this.#isIncomplete = true
      handlers.handleWaiting(update)`,
    replace: '      void update',
    tests: ['test/simulation'],
  },
  {
    name: 'device: unconfirmed rows are not uploaded after a reload',
    file: 'client/local-copy.ts',
    search:
      'ledger.handleRead(pending === null ? null : { update: pending, changes: pendingChanges })',
    replace:
      'ledger.handleRead(pending === null || pendingChanges > 0 ? null : { update: pending, changes: pendingChanges })',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: the history of the copy is not told at the join',
    file: 'client/local-copy.ts',
    search:
      'if (epoch !== null && known === null) rememberEpoch(doc, serverUrl, documentName, epoch)',
    replace: 'void rememberEpoch',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: a change is called stored before it is',
    file: 'client/persistence/row-writer.ts',
    search: '      this.#pending.isEmpty &&\n',
    replace: '',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: marks go before the acknowledgement',
    file: 'client/bound-document.ts',
    search: 'ledger.unsyncedChanges === 0 && sync.isLive && !sync.isReadOnly',
    replace: 'sync.isLive && !sync.isReadOnly',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: changes of a page that is gone are left where they are',
    file: 'client/persistence/indexeddb-persistence.ts',
    search: 'if (orphans.rows.length === 0 || this.#ending !== null) return',
    replace: 'if (orphans.rows.length >= 0 || this.#ending !== null) return',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: a document that is opened again is read before its last changes are stored',
    file: 'client/persistence/indexeddb-persistence.ts',
    search: '      await whenEnded(this.name)\n',
    replace: '      void whenEnded\n',
    tests: ['test/client/persistence'],
  },
  {
    name: 'device: a reader tidies up formatting marks',
    file: 'client/document-changes.ts',
    search: 'transaction._needFormattingCleanup = false',
    replace: 'void transaction._needFormattingCleanup',
    tests: ['test/client/saving'],
  },
]
