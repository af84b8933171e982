import * as Y from 'yjs'
import { assertWhole, type CampaignDocument, type RetiredDocument } from './campaign-document.ts'
import type { Clients } from './clients.ts'
import { contentOf } from './edits.ts'
import { Fault } from './fault.ts'
import { ask } from './http.ts'
import { holdingOf, Ledger } from './ledger.ts'
import { Member, refused } from './member.ts'
import type { Resident } from './resident.ts'
import { count, type Tally } from './tally.ts'

/** Long enough for a machine that does other things; nothing waits for it when all is well. */
const CONVERGE_MS = 90_000

/**
 * Reads a document from the restarted server before anybody has sent anything, and compares it with what is owed. Leaves the
 * reader in it.
 */
export async function verifyOwed(
  document: CampaignDocument,
  clients: Clients,
  tally: Tally,
): Promise<void> {
  const reader = new Member(document.name, document.history.ledger)
  document.history.reader = reader
  const answer = await reader.join(clients.reader)
  assertWhole(reader.doc, document.name)
  verifyDeletion(document, answer, tally)
  const { history } = document
  history.reader = reader
  reader.ledger = history.ledger
  history.ledger.begin(answer.epoch, answer.head)
  document.assertOwnContent(reader.doc)
  const checked = history.ledger.check(reader.doc)
  count(tally, 'acknowledgedChecked', checked.acknowledged)
  count(tally, 'seenChecked', checked.seen)
  count(tally, 'documentsChecked')
  if (answer.snapshot !== undefined) count(tally, 'largeSnapshotsRead')
}

function verifyDeletion(
  document: CampaignDocument,
  { epoch, head }: { epoch: string; head: number },
  tally: Tally,
): void {
  const { deletion, ledger } = document.history
  if (document.formerEpochs.has(epoch))
    throw new Fault('deleted-came-back', `epoch ${epoch} of a deleted document is back`)
  if (deletion === 'told' && epoch === ledger.epoch)
    throw new Fault(
      'deleted-came-back',
      `the deletion was acknowledged, the epoch is still ${epoch}`,
    )
  const isGone = deletion !== 'none' && epoch !== ledger.epoch
  if (deletion === 'told') count(tally, 'deletionsChecked')
  if (deletion === 'asked')
    count(tally, isGone ? 'unansweredDeletionsGone' : 'unansweredDeletionsWhole')
  if (!isGone) {
    document.history.deletion = 'none'
    return
  }
  if (head !== 0) throw new Fault('deleted-came-back', `a deleted document has ${head} entries`)
  document.beginHistory()
}

/** Everybody comes back with what the server may have lost, and all copies must become the same. */
export async function verifyConvergence(
  documents: readonly CampaignDocument[],
  clients: Clients,
  resident: Resident | null,
  tally: Tally,
): Promise<void> {
  await Promise.all(documents.map((document) => bringBack(document, clients)))
  if (resident !== null) {
    await waitUntil(
      () => resident.isSettled,
      () => `the provider is not in sync and saved: ${resident.state}`,
    )
    count(tally, 'providerReturns')
  }
  for (const document of documents) {
    const docs = copiesOf(document, resident)
    const { reader, ledger } = document.history
    const [first, ...others] = docs as [Y.Doc, ...Y.Doc[]]
    // Deletions do not show in the clocks; they are compared once those are equal.
    await waitUntil(
      () =>
        reader.position >= ledger.highestSeq &&
        others.every((other) => hasSameClocks(first, other)) &&
        others.every((other) => Y.equalSnapshots(Y.snapshot(first), Y.snapshot(other))),
      () => `the copies of ${document.name} have not become the same`,
    )
    const content = contentOf(first)
    if (others.some((other) => contentOf(other) !== content))
      throw new Fault('did-not-converge', `two copies of ${document.name} differ in content`)
    assertWhole(first, document.name)
    ledger.settle(first)
  }
}

async function bringBack({ name, history }: CampaignDocument, clients: Clients): Promise<void> {
  const { writers, httpDoc, ledger, reader } = history
  const update = Y.encodeStateAsUpdate(httpDoc, Y.encodeStateVector(reader.doc))
  const overHttp = ask('POST', `${clients.url}/documents/${name}/updates`, update)
  await Promise.all(
    writers.map(async (writer, number) => {
      const { stateVector, epoch } = await writer.join(clients.writers[number]!)
      if (epoch !== ledger.epoch) throw new Fault('epoch-changed', `${epoch}, not ${ledger.epoch}`)
      const answer = await writer.send(
        Y.encodeStateAsUpdate(writer.doc, new Uint8Array(stateVector)),
      )
      if (!answer.ok) throw refused('an update', answer)
    }),
  )
  const { status, text } = await overHttp
  if (status !== 200) throw new Fault('refused', `an update over HTTP: ${status} ${text}`)
  ledger.addAcknowledgedOverHttp(update, text)
}

function copiesOf({ name, history }: CampaignDocument, resident: Resident | null): Y.Doc[] {
  const docs = [history.reader, ...history.writers].map((member) => member.doc)
  return resident?.document.name === name ? [...docs, resident.doc] : docs
}

/** Yjs writes a state vector in the order of the client ids. */
function hasSameClocks(a: Y.Doc, b: Y.Doc): boolean {
  return Buffer.compare(Y.encodeStateVector(a), Y.encodeStateVector(b)) === 0
}

/** Compares a document that was left alone with what is remembered of it. */
export async function verifyRetired(
  retired: RetiredDocument,
  clients: Clients,
  tally: Tally,
): Promise<void> {
  const reader = new Member(retired.name, new Ledger())
  const { epoch, head } = await reader.join(clients.reader)
  assertWhole(reader.doc, retired.name)
  if (epoch !== retired.epoch)
    throw new Fault('epoch-changed', `the epoch was ${retired.epoch} and is ${epoch}`)
  if (head < retired.seq)
    throw new Fault('sequence-went-back', `the head is ${head}; ${retired.seq} was told`)
  const holding = holdingOf(reader.doc)
  const before = new Y.Snapshot(retired.holding.deletes, new Map(retired.holding.clocks))
  const after = new Y.Snapshot(holding.deletes, new Map(holding.clocks))
  const differs = !Y.equalSnapshots(before, after)
    ? `clocks or deletions; its head was ${retired.seq} and is ${head}`
    : contentOf(reader.doc) !== retired.content
      ? 'content'
      : null
  if (differs !== null)
    throw new Fault('not-whole', `${retired.name}, left alone, is another one by its ${differs}`)
  count(tally, 'documentsCheckedAtTheEnd')
}

async function waitUntil(condition: () => boolean, complaint: () => string): Promise<void> {
  const deadline = performance.now() + CONVERGE_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Fault('did-not-converge', complaint())
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
