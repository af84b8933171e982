import * as Y from 'yjs'
import type { JoinAnswer, PullAnswer } from '../../protocol/index.ts'
import type { Observer } from './network.ts'

/** One history of a document, and what somebody was told is in it. */
interface Account {
  readonly name: string
  readonly epoch: string
  readonly owed: Uint8Array[]
}

/**
 * What is owed: every update that was acknowledged to its author or shown to anybody. It must be on the disk from that moment
 * on, whatever happens, until its document is deleted.
 */
export class Books implements Observer {
  readonly #accounts = new Map<string, Account>()
  /** The epoch that each client is in, by client and document. */
  readonly #epochs = new Map<string, string>()
  joins = 0
  saved = 0
  relayed = 0

  handleJoined(client: string, name: string, answer: JoinAnswer): void {
    this.joins++
    this.#epochs.set(`${client} ${name}`, answer.epoch)
    for (const update of answer.updates) this.owe(name, answer.epoch, update)
  }

  handlePulled(name: string, epoch: string, answer: PullAnswer): void {
    for (const update of answer.updates) this.owe(name, epoch, update)
  }

  handleRelayed(name: string, epoch: string, update: Uint8Array): void {
    this.relayed++
    this.owe(name, epoch, update)
  }

  handleSaved(name: string, epoch: string, update: Uint8Array): void {
    this.saved++
    this.owe(name, epoch, update)
  }

  /** The history that a client was told last. */
  epochOf(client: string, name: string): string | undefined {
    return this.#epochs.get(`${client} ${name}`)
  }

  /** Somebody knows that the update is in this history of the document. */
  owe(name: string, epoch: string, update: Uint8Array): void {
    const key = `${epoch} ${name}`
    const account = this.#accounts.get(key) ?? { name, epoch, owed: [] }
    account.owed.push(update.slice())
    this.#accounts.set(key, account)
  }

  /** The histories that somebody holds something of. */
  epochsOf(name: string): readonly string[] {
    return this.accounts()
      .filter((account) => account.name === name)
      .map(({ epoch }) => epoch)
  }

  /** A history that is over owes nothing. */
  forget(name: string, epoch: string): void {
    this.#accounts.delete(`${epoch} ${name}`)
  }

  /** A restored backup knows nothing of what came after it. */
  forgetAll(): void {
    this.#accounts.clear()
  }

  accounts(): readonly Account[] {
    return [...this.#accounts.values()]
  }
}

/** Null: the document holds all of these updates. Otherwise what it lacks, in words. */
export function missingFrom(doc: Y.Doc, owed: readonly Uint8Array[]): string | null {
  const before = Y.snapshot(doc)
  for (const update of owed) Y.applyUpdate(doc, update)
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
    return 'an owed update has no place in it'
  const after = Y.snapshot(doc)
  if (Y.equalSnapshots(before, after)) return null
  const clients = [...after.sv].filter(([client, clock]) => before.sv.get(client) !== clock)
  if (clients.length === 0) return 'deletions'
  return clients
    .map(
      ([client, clock]) => `client ${client} from clock ${before.sv.get(client) ?? 0} to ${clock}`,
    )
    .join(', ')
}
