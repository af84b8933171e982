import * as Y from 'yjs'
import { RawClient } from '../support/raw-client.ts'
import type { CampaignDocument, History } from './campaign-document.ts'
import { assertWhole } from './campaign-document.ts'
import type { Clients } from './clients.ts'
import { paste, randomEdit } from './edits.ts'
import { Fault } from './fault.ts'
import { ask } from './http.ts'
import { Ledger } from './ledger.ts'
import { Member, refused } from './member.ts'
import type { RoundPlan } from './plan.ts'
import { Random } from './random.ts'
import type { Resident } from './resident.ts'
import { count, type Tally } from './tally.ts'

export interface LoadOptions {
  readonly plan: RoundPlan
  readonly seed: string
  readonly clients: Clients
  readonly documents: readonly CampaignDocument[]
  readonly resident: Resident | null
  readonly tally: Tally
  /** The server is gone, or told to go. */
  readonly isOver: () => boolean
  /** Resolves when the process is gone. */
  readonly ended: Promise<unknown>
  readonly handleFault: (fault: unknown) => void
}

/** So much per writer and round: the longest rounds would otherwise cost their verification. */
const MAX_EDITS = 150

/** Codes that a server which is being closed, or a document that is being deleted, may answer with. */
const ENDING_CODES = ['server-closing']
const DELETING_CODES = ['document-deleted', 'document-reset', 'not-joined']

/** A connection that is lost this long before the server is gone was lost for another reason. */
const LOST_MS = 30_000

/** Resolves when the server is gone and nobody is at anything any more. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { plan, documents, seed, resident } = options
  const actors: Promise<void>[] = []
  const start = (name: string, act: (random: Random) => Promise<void>): void => {
    const random = new Random(`${seed}/${name}`)
    actors.push(
      act(random).catch(async (error: unknown) => {
        if (isClosing(error) && options.isOver()) return
        // The connection was lost: nobody was told anything. That is heard of before the end of the process.
        if (error instanceof Fault || !(await settlesWithin(options.ended, LOST_MS)))
          options.handleFault(error)
      }),
    )
  }
  for (const document of documents) {
    const { name } = document
    const begin = (history: History): void =>
      history.writers.forEach((writer, number) =>
        start(`${name} writer ${number} ${document.formerEpochs.size}`, (random) =>
          write(options, history, writer, random),
        ),
      )
    begin(document.history)
    // A connection that is being made when the server goes may never hear of it.
    if (plan.joins)
      start(`${name} joiner`, async (random) => {
        await Promise.race([options.ended, joinAgainAndAgain(options, document, random)])
      })
    if (plan.writesOverHttp)
      start(`${name} http`, (random) => writeOverHttp(options, document, random))
    if (plan.compacts) start(`${name} compact`, (random) => compact(options, document, random))
    if (plan.deletes && resident?.document !== document)
      start(`${name} delete`, (random) => deleteOnce(options, document, random, begin))
  }
  if (resident !== null)
    start('provider', async (random) => {
      for (let edits = 0; edits < MAX_EDITS && !options.isOver(); edits++) {
        resident.edit(random)
        await pause(random.int(0, plan.pauseMs + 5))
      }
    })
  while (actors.length > 0) await Promise.all(actors.splice(0))
}

async function write(
  options: LoadOptions,
  history: History,
  writer: Member,
  random: Random,
): Promise<void> {
  const { plan, tally } = options
  const underWay = new Set<Promise<void>>()
  for (let edits = 0; edits < MAX_EDITS; edits++) {
    if (options.isOver() || history.deletion !== 'none') break
    const update =
      plan.pasteCharacters > 0 && random.chance(0.05)
        ? paste(writer.doc, random, random.logInt(1000, plan.pasteCharacters))
        : randomEdit(writer.doc, random)
    if (update === null) continue
    const sending = writer.send(update).then((answer) => {
      if (answer.ok) count(tally, 'acknowledged')
      else if (!isExpected(options, history, answer.code)) throw refused('an update', answer)
    })
    const sent = sending.finally(() => underWay.delete(sent))
    sent.catch(() => undefined)
    underWay.add(sent)
    if (underWay.size >= plan.window) await Promise.race(underWay)
    if (plan.pauseMs > 0) await pause(random.int(0, plan.pauseMs))
  }
  await Promise.all(underWay)
}

function isExpected(options: LoadOptions, history: History, code: string): boolean {
  if (history.deletion !== 'none' && DELETING_CODES.includes(code)) return true
  return options.isOver() && ENDING_CODES.includes(code)
}

function isClosing(error: unknown): boolean {
  return error instanceof Fault && ENDING_CODES.some((code) => error.message.includes(code))
}

/** Whatever a newcomer is given has been seen. */
async function joinAgainAndAgain(
  options: LoadOptions,
  document: CampaignDocument,
  random: Random,
): Promise<void> {
  while (!options.isOver()) {
    const { history } = document
    if (history.ledger.epoch === null) return
    const client = await RawClient.connect(options.clients.url)
    try {
      const newcomer = new Member(document.name, new Ledger())
      const answer = await newcomer.join(client).catch((error: unknown) => error as Error)
      // Two folds since the answer have taken what it referred to, or the document is being deleted: join again.
      if (answer instanceof Error) {
        if (!client.socket.connected) throw answer
        count(options.tally, 'joinsRepeated')
        continue
      }
      if (answer.epoch !== history.ledger.epoch) continue
      assertWhole(newcomer.doc, `${document.name} as a newcomer got it`)
      history.ledger.addSeen(Y.encodeStateAsUpdate(newcomer.doc), answer.head)
      count(options.tally, 'joinsDuringLoad')
    } finally {
      client.close()
    }
    await pause(random.int(5, 60))
  }
}

async function writeOverHttp(
  { clients, isOver, tally }: LoadOptions,
  { name, history }: CampaignDocument,
  random: Random,
): Promise<void> {
  for (let edits = 0; edits < MAX_EDITS && !isOver() && history.deletion === 'none'; edits++) {
    const before = Y.encodeStateVector(history.httpDoc)
    history.httpDoc.getArray('array').push([random.int(0, 1e6)])
    const update = Y.encodeStateAsUpdate(history.httpDoc, before)
    const { status, text } = await ask('POST', `${clients.url}/documents/${name}/updates`, update)
    if (status === 200) {
      history.ledger.addAcknowledgedOverHttp(update, text)
      count(tally, 'acknowledgedOverHttp')
    } else if (!isOver() && history.deletion === 'none')
      throw new Fault('refused', `an update over HTTP: ${status} ${text}`)
    await pause(random.int(0, 20))
  }
}

async function compact(
  { clients, isOver, tally }: LoadOptions,
  { name }: CampaignDocument,
  random: Random,
): Promise<void> {
  while (!isOver()) {
    const { status, text } = await ask('POST', `${clients.url}/compact/${name}`)
    if (status === 204) count(tally, 'compactCalls')
    else if (!isOver()) throw new Fault('refused', `compacting: ${status} ${text}`)
    await pause(random.int(0, 30))
  }
}

async function deleteOnce(
  options: LoadOptions,
  document: CampaignDocument,
  random: Random,
  begin: (history: History) => void,
): Promise<void> {
  const { clients, tally } = options
  await pause(random.logInt(1, 60))
  if (options.isOver()) return
  const old = document.history
  old.deletion = 'asked'
  const { status, text } = await ask('DELETE', `${clients.url}/documents/${document.name}`)
  if (status !== 204) {
    if (options.isOver()) return
    throw new Fault('refused', `deleting: ${status} ${text}`)
  }
  old.deletion = 'told'
  count(tally, 'deletionsAcknowledged')
  if (random.chance(0.5)) return
  // The same name again, at once: another document.
  const history = document.beginHistory()
  const [first] = history.writers
  const { epoch, head } = await joinNew(document, first as Member, clients.writers[0]!)
  history.ledger.begin(epoch, head)
  await history.writers[1]!.join(clients.writers[1]!)
  await history.reader.join(clients.reader)
  begin(history)
}

async function joinNew(
  { formerEpochs, name }: CampaignDocument,
  writer: Member,
  client: RawClient,
): Promise<{ epoch: string; head: number }> {
  const { epoch, head } = await writer.join(client)
  if (formerEpochs.has(epoch) || head !== 0)
    throw new Fault('deleted-came-back', `${name} has epoch ${epoch} and ${head} entries again`)
  return { epoch, head }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    void work.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
