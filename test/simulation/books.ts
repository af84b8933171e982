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
  /** The epoch that each Y.Doc is in, by client id and document. */
  readonly #epochs = new Map<string, string>()
  /** How much of each epoch was owed when a Y.Doc asked to join last: in sync, it has all that. */
  readonly #owedAtJoin = new Map<string, ReadonlyMap<string, number>>()
  /** What a device has called its own: it will be on the server once the device has been there. */
  readonly #promised = new Map<string, Uint8Array[]>()
  joins = 0
  saved = 0
  relayed = 0

  handleJoining(clientId: number, name: string): void {
    const owed = this.accounts().filter((account) => account.name === name)
    const counts = new Map(owed.map((account) => [account.epoch, account.owed.length]))
    this.#owedAtJoin.set(`${clientId} ${name}`, counts)
  }

  handleJoined(clientId: number, name: string, answer: JoinAnswer): void {
    this.joins++
    this.#epochs.set(`${clientId} ${name}`, answer.epoch)
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

  /** The history that a Y.Doc was told last. */
  epochOf(clientId: number, name: string): string | undefined {
    return this.#epochs.get(`${clientId} ${name}`)
  }

  /** What everybody knew to be in the document when this Y.Doc asked to join it. */
  owedTo(clientId: number, name: string): readonly Uint8Array[] {
    const epoch = this.epochOf(clientId, name) ?? ''
    const count = this.#owedAtJoin.get(`${clientId} ${name}`)?.get(epoch) ?? 0
    return this.#accounts.get(`${epoch} ${name}`)?.owed.slice(0, count) ?? []
  }

  /** Somebody knows that the update is in this history of the document. */
  owe(name: string, epoch: string, update: Uint8Array): void {
    const key = `${epoch} ${name}`
    const account = this.#accounts.get(key) ?? { name, epoch, owed: [] }
    account.owed.push(update.slice())
    this.#accounts.set(key, account)
  }

  /** Somebody was told that these edits are kept on a device. */
  promise(name: string, updates: readonly Uint8Array[]): void {
    const promised = this.#promised.get(name) ?? []
    promised.push(...updates.filter((update) => !promised.includes(update)))
    this.#promised.set(name, promised)
  }

  promisedOf(name: string): readonly Uint8Array[] {
    return this.#promised.get(name) ?? []
  }

  /** The histories that somebody holds something of. */
  epochsOf(name: string): readonly string[] {
    return this.accounts()
      .filter((account) => account.name === name)
      .map(({ epoch }) => epoch)
  }

  /** Whose edits are in what is owed of a document. */
  authorsOf(name: string): ReadonlySet<number> {
    const owed = this.accounts().flatMap((account) => (account.name === name ? account.owed : []))
    return new Set(owed.flatMap((update) => [...Y.parseUpdateMeta(update).to.keys()]))
  }

  /** A history that is over owes nothing. */
  forget(name: string, epoch: string): void {
    this.#accounts.delete(`${epoch} ${name}`)
  }

  /** A restored backup knows nothing of what came after it. */
  forgetAll(): void {
    this.#accounts.clear()
    this.#promised.clear()
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
