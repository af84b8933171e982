import { ACCESS_MUTATIONS } from './access-mutations.mjs'
import { CLIENT_MUTATIONS } from './client-mutations.mjs'

/**
 * Faults that somebody could make, each as one exact replacement in one file. `tests`: where to look first; what those
 * do not catch, the rest of the suite may. `search` must be in the file exactly once.
 */
export const MUTATIONS = [
  {
    name: 'acknowledge before the batch',
    file: 'src/document/open-document.ts',
    search: `      origin: author.origin,
      receipt,
    })`,
    replace: `      origin: author.origin,
      receipt: { handleAccepted: () => undefined, handleRefused: () => undefined },
    })
    receipt.handleAccepted(this.head + 1, true)`,
    tests: ['test/document', 'test/e2e/kill'],
  },
  {
    name: 'relay before storage',
    file: 'src/document/open-document.ts',
    search: `    this.#staging.add(scan.inserts)
`,
    replace: `    this.#staging.add(scan.inserts)
    this.#recent.push({ seq: this.head + 1, update, origin: author.origin })
    this.room.schedule()
`,
    tests: ['test/document', 'test/e2e/kill'],
  },
  {
    name: 'compaction deletes unread rows (the snapshot claims the head)',
    file: 'src/document/compaction.ts',
    search: `document.epoch, { seq, ...folded })`,
    replace: `document.epoch, { ...folded, seq: document.head })`,
    tests: ['test/document', 'test/e2e/joining'],
  },
  {
    name: 'compaction deletes unread rows (the storage keeps none)',
    file: 'src/storage/level-snapshots.ts',
    search: `Math.max(replacedUpTo + 1, cleanFrom)`,
    replace: `Math.max(state.seq + 1, cleanFrom)`,
    tests: ['test/storage'],
  },
  {
    name: 'cursor off by one',
    file: 'src/document/document-reader.ts',
    search: `        return this.page(document, cursor.seq, true)`,
    replace: `        return this.page(document, Math.min(cursor.seq + 1, document.head), true)`,
    tests: ['test/e2e/joining', 'test/e2e/returning'],
  },
  {
    name: 'cursor of the client off by one',
    file: 'client/catch-up.ts',
    search: `    cursor.handleRange(after + 1, seq)`,
    replace: `    cursor.handleRange(after + 1, seq + 1)`,
    tests: ['test/client/following'],
  },
  {
    name: 'dependency (hole) check off',
    file: 'src/update/update-scan.ts',
    search: `    if (this.#missing !== null) return { verdict: 'missing-dependencies', message: this.#missing }
`,
    replace: '',
    tests: ['test/update', 'test/e2e/joining'],
  },
  {
    name: 'references to unknown structs of others are not looked at',
    file: 'src/update/update-scan.ts',
    search: `    } else if (clock >= this.#knownClock(client)) {`,
    replace: `    } else if (clock > this.#knownClock(client)) {`,
    tests: ['test/update'],
  },
  {
    name: 'no-effect check too eager (deletions are never news)',
    file: 'src/update/document-index.ts',
    search: `scan.inserts.length === 0 && scan.deletes.every((range) => this.#hasDeleted(range))`,
    replace: `scan.inserts.length === 0 && scan.deletes.every((range) => this.#hasDeleted(range) || true)`,
    tests: ['test/update/document-index', 'test/e2e/joining'],
  },
  {
    name: 'no-effect check answers before what covers the update is durable',
    file: 'src/document/open-document.ts',
    search: `      else if (this.isSettled) receipt.handleAccepted(this.head, false)`,
    replace: `      else if (this.head >= 0) receipt.handleAccepted(this.head, false)`,
    tests: ['test/document'],
  },
  {
    name: 'presence ownership off',
    file: 'src/document/presence.ts',
    search: `        if (!owner.hasClientId(clientId))`,
    replace: `        if (clientId < 0)`,
    tests: ['test/e2e/presence'],
  },
  {
    name: 'presence is taken over without the key',
    file: 'src/document/client-claims.ts',
    search: `claim !== undefined && claim.key !== key`,
    replace: `claim !== undefined && key.length === 0`,
    tests: ['test/e2e/presence'],
  },
  {
    name: 'the late end of an old connection removes the new one’s presence',
    file: 'src/document/presence.ts',
    search: `  removeClient(owner: PresenceOwner, clientId: number): void {
    if (this.#entries.get(clientId)?.owner === owner) this.#forget(clientId, owner)`,
    replace: `  removeClient(owner: PresenceOwner, clientId: number): void {
    if (this.#entries.has(clientId)) this.#forget(clientId, owner)`,
    tests: ['test/e2e/presence'],
  },
  {
    name: 'epoch ignored',
    file: 'src/connection/connection.ts',
    search: `    if (join.epoch !== null && join.epoch !== document.epoch)`,
    replace: `    if (join.epoch === '' && join.epoch !== document.epoch)`,
    tests: ['test/e2e/joining', 'test/e2e/provider'],
  },
  {
    name: 'epoch ignored by the client',
    file: 'client/document-sync.ts',
    search: `    if (this.#epoch !== null && this.#epoch !== epoch) {`,
    replace: `    if (this.#epoch === '' && this.#epoch !== epoch) {`,
    tests: ['test/client/following'],
  },
  {
    name: 'epoch ignored by the log (a write after a deletion)',
    file: 'src/storage/level-append.ts',
    search: `  if (epoch !== epochOf(state.generation)) return { ok: false, code: 'document-reset' }
`,
    replace: `  if (epoch === '') return { ok: false, code: 'document-reset' }
  void epochOf
`,
    tests: ['test/storage'],
  },
  {
    name: 'checksum ignored',
    file: 'src/storage/records.ts',
    search: `  if (value.length < HEADER_BYTES || value.readUInt32BE(0) !== checksum(key, value))
    throw`,
    replace: `  if (value.length < HEADER_BYTES || checksum(key, value) < 0)
    throw`,
    tests: ['test/storage/damage'],
  },
  {
    name: 'outbox soft limit off',
    file: 'src/connection/outbox.ts',
    search: `    return this.#bytesInFlight > this.#options.softBytes
`,
    replace: `    return this.#bytesInFlight < 0
`,
    tests: ['test/connection', 'test/e2e/limits'],
  },
  {
    name: 'outbox hard limit off',
    file: 'src/connection/outbox.ts',
    search: `    if (this.#bytesInFlight - this.#largestInFlight > this.#options.hardBytes)
      this.#stall('outboxHardBytes')
    else if`,
    replace: `    if`,
    tests: ['test/connection', 'test/e2e/limits'],
  },
  {
    name: 'the client says saved when it has sent',
    file: 'client/save-ledger.ts',
    search: `    for (const piece of this.#inFlight) count += piece.changes
`,
    replace: '',
    tests: ['test/client/saving', 'test/e2e/provider'],
  },
  {
    name: 'the ledger is cleared when the connection is lost',
    file: 'client/save-ledger.ts',
    search: `    for (const piece of [...this.#inFlight].reverse()) this.putBack(piece)`,
    replace: `    this.#inFlight.clear()`,
    tests: ['test/client/saving', 'test/client/save-ledger'],
  },
  {
    name: 'the client does not compare states after a cursor',
    file: 'client/document-sync.ts',
    search: `    if (promised !== null && !hasEverything(this.#options.doc, promised)) {`,
    replace: `    if (promised !== null && promised.length === 0) {`,
    tests: ['test/client/following', 'test/e2e/joining'],
  },
  {
    name: 'unload with writes pending',
    file: 'src/document/open-document.ts',
    search: `    return this.#staging.isEmpty
`,
    replace: `    return true
`,
    tests: ['test/document'],
  },
  {
    name: 'joining a large document skips the log after its snapshot',
    file: 'src/document/document-reader.ts',
    search: `      return { ...tail, snapshot }
`,
    replace: `      return { seq: document.head, updates: tail.updates.slice(0, 0), snapshot }
`,
    tests: ['test/e2e/joining'],
  },
  {
    name: 'the answer to a join hides entries that came while it was made',
    file: 'src/connection/session.ts',
    search: `    head: document.head,
`,
    replace: `    head: catchUp.seq,
`,
    tests: ['test/e2e/returning', 'test/e2e/joining'],
  },
  {
    name: 'delete set ignored in the index',
    file: 'src/update/document-index.ts',
    search: `    if (ranges.add(range.from, range.to)) this.#digest = null
    this.#longMapEntries`,
    replace: `    this.#longMapEntries`,
    tests: ['test/update/document-index', 'test/e2e/joining'],
  },
  {
    name: 'a map entry of several clocks may be taken apart',
    file: 'src/update/update-scan.ts',
    search: `    const own = this.#ownEntries.cutBy(client, clock)`,
    replace: `    const own = null`,
    tests: ['test/update/long-map-entry'],
  },
  {
    name: 'a map entry may have a right origin',
    file: 'src/update/update-scan.ts',
    search: `      throw new MalformedBytes('a value of a map has a right origin')
`,
    replace: `      return
`,
    tests: ['test/update/long-map-entry'],
  },
  {
    name: 'what is held is forgotten when its time comes while one looks',
    file: 'src/connection/pace.ts',
    search: `    this.#cancelTimer = this.#options.clock.setTimer(this.#waitMs(), () => {`,
    replace: `    const waitMs = this.#waitMs()
    if (waitMs === 0) return
    this.#cancelTimer = this.#options.clock.setTimer(waitMs, () => {`,
    tests: ['test/connection/pace'],
  },
  {
    name: 'a fold that holds less than the log is stored',
    file: 'src/log/fold.ts',
    search: `    if (!folded.dominates(expected)) throw new Error('the snapshot holds less than the log')
`,
    replace: '',
    tests: ['test/log'],
  },
  {
    name: 'after a failed write the document goes on as if nothing had happened',
    file: 'src/document/open-document.ts',
    search: `    this.#needsReload = true
    if (this.#ended !== null`,
    replace: `    if (this.#ended !== null`,
    tests: ['test/document', 'test/e2e/broken-storage.test.ts'],
  },
  {
    name: 'what waited behind a failed write is written',
    file: 'src/log/commit-loop.ts',
    search: `    this.#waiting.delete(party)
    const failed = [...entries, ...behind]`,
    replace: `    const failed = [...entries, ...behind.slice(behind.length)]`,
    tests: ['test/log', 'test/document'],
  },
  {
    name: 'a lost snapshot is an empty document',
    file: 'src/storage/level-reader.ts',
    search: `      if (manifest === null || index === null) return this.#goneOrDamaged(address)
`,
    replace: `      if (manifest === null || index === null) return { ...head, snapshot: null }
`,
    tests: ['test/storage'],
  },
  {
    name: 'appends are not synced',
    file: 'src/storage/level-database.ts',
    search: `{ sync: this.#options.isSynced }`,
    replace: `{ sync: this.#options.isSynced && operations.length < 0 }`,
    tests: ['test/storage/write-failure'],
  },
  {
    name: 'recent entries are dropped before they are relayed',
    file: 'src/document/recent-entries.ts',
    search: ' && this.since < keepAfter',
    replace: ' && this.since < this.#head',
    tests: ['test/document'],
  },
  {
    name: 'a session ignores skipped entries',
    file: 'src/connection/session.ts',
    search: `this.#state === 'live' && this.#position < head`,
    replace: `this.#state === 'live' && head < 0`,
    tests: ['test/connection/session'],
  },
  {
    name: 'a snapshot of another epoch is stored',
    file: 'src/storage/level-storage.ts',
    search: `(state) => epoch === this.#database.epochOf(state.generation),`,
    replace: `() => true,`,
    tests: ['test/storage/storage-contract'],
  },
  {
    name: 'what the document has already is logged and relayed again',
    file: 'src/document/open-document.ts',
    search: `    const news = withoutKnown(update, scan)`,
    replace: `    const news = scan.known.length < 0 ? withoutKnown(update, scan) : update`,
    tests: ['test/document'],
  },
  {
    name: 'the mark of unfinished work is forgotten (a snapshot)',
    file: 'src/storage/level-snapshots.ts',
    search: `    { type: 'put', key: markKey, value: encodeBytes(markKey, EMPTY) },
`,
    replace: '',
    tests: ['test/storage/crash', 'test/storage/write-failure', 'test/storage/storage-contract'],
  },
  {
    name: 'marks of unfinished work are not looked at when opening',
    file: 'src/storage/level-maintenance.ts',
    search: `    for (const mark of marks) {
`,
    replace: `    for (const mark of marks.slice(marks.length)) {
`,
    tests: ['test/storage/crash', 'test/storage/write-failure', 'test/storage/storage-contract'],
  },
  {
    name: 'a closed document leaves its timers',
    file: 'src/document/open-document.ts',
    search: `    this.#isClosed = true
    this.#cancelRecheck?.()
`,
    replace: `    this.#isClosed = true
`,
    tests: ['test/document'],
  },
  {
    name: 'deletions that a fold finds are not taken over',
    file: 'src/document/open-document.ts',
    search: `    this.#index.addDeletesOf(exact)
`,
    replace: `    void exact
`,
    tests: ['test/document'],
  },
  {
    name: 'documents that damage may have cut short are served',
    file: 'src/storage/damage-record.ts',
    search: `    if (this.#documents.has(name)) return`,
    replace: `    if (name === '') return`,
    tests: ['test/storage/set-aside'],
  },
  {
    name: 'a log that may have ended in a lost block is whole',
    file: 'src/storage/level-damage-search.ts',
    search: `    if (lost.some((span) => mayHoldNextEntry(span, name, generation, seq))) return false
`,
    replace: `    if (seq < 0 && lost.some((span) => mayHoldNextEntry(span, name, generation, seq))) return false
`,
    tests: ['test/storage/set-aside'],
  },
  {
    name: 'a name whose record may be lost is a new document',
    file: 'src/storage/damage-record.ts',
    search: `    if (deleted.includes(name) || !lostRecords`,
    replace: `    if (deleted.includes(name) || lostRecords`,
    tests: ['test/storage/set-aside'],
  },
  {
    name: 'a chunk of another attempt is taken for one of the snapshot',
    file: 'src/storage/level-snapshots.ts',
    search: `chunkChecksums.length > 0 &&`,
    replace: `chunkChecksums.length < 0 &&`,
    tests: ['test/storage/recovery'],
  },
  {
    name: 'readiness is not tried again after a failed write',
    file: 'src/log/storage-health.ts',
    search: `    if (error === null) this.handleWritten()`,
    replace: `    if (error === null) this.close()`,
    tests: ['test/log'],
  },
  ...ACCESS_MUTATIONS,
  ...CLIENT_MUTATIONS,
]
