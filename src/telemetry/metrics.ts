import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface LiveCounts {
  connections(): number
  openDocuments(): number
  damagedDocuments(): number
}

/** The metrics of one server, in a registry of their own: one process may hold several servers. */
export class Metrics {
  readonly registry = new Registry()
  readonly updates: Counter
  readonly updateBytes: Counter
  readonly commitFailures: Counter
  readonly commitSeconds: Histogram
  readonly compactionFailures: Counter
  readonly stateChecks: Counter<'result'>
  readonly divergences: Counter
  readonly limitHits: Counter<'limit'>

  constructor(live: LiveCounts) {
    const registers = [this.registry]
    this.updates = new Counter({
      name: 'y_rooms_updates_total',
      help: 'Updates that became durable',
      registers,
    })
    this.updateBytes = new Counter({
      name: 'y_rooms_update_bytes_total',
      help: 'Bytes of updates that became durable',
      registers,
    })
    this.commitFailures = new Counter({
      name: 'y_rooms_commit_failures_total',
      help: 'Write batches that the storage refused',
      registers,
    })
    this.commitSeconds = new Histogram({
      name: 'y_rooms_commit_seconds',
      help: 'Time from the start of a write batch until it was durable',
      // From a fast SSD to a disk in trouble.
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    })
    this.compactionFailures = new Counter({
      name: 'y_rooms_compaction_failures_total',
      help: 'Folds of logs that failed; the log says what each has left',
      registers,
    })
    this.stateChecks = new Counter({
      name: 'y_rooms_state_checks_total',
      help: 'Copies of clients that were compared with the server: same, moved (not comparable now), different (some deletions follow from others by themselves, so this is no alarm)',
      labelNames: ['result'],
      registers,
    })
    this.divergences = new Counter({
      name: 'y_rooms_divergences_total',
      help: 'Copies of clients that were found to differ, and were healed',
      registers,
    })
    this.limitHits = new Counter({
      name: 'y_rooms_limit_hits_total',
      help: 'Requests, messages and connections that a limit refused, held back or ended, by the option that sets it',
      labelNames: ['limit'],
      registers,
    })
    const connections: Gauge = new Gauge({
      name: 'y_rooms_connections',
      help: 'Connections open now',
      registers,
      collect: () => connections.set(live.connections()),
    })
    const documents: Gauge = new Gauge({
      name: 'y_rooms_open_documents',
      help: 'Documents in memory now',
      registers,
      collect: () => documents.set(live.openDocuments()),
    })
    const damaged: Gauge = new Gauge({
      name: 'y_rooms_damaged_documents',
      help: 'Documents refused as damaged, found at the start or since, and not deleted or read after it; the log names them',
      registers,
      collect: () => damaged.set(live.damagedDocuments()),
    })
  }
}
