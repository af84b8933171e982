import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CampaignDocument, retire, type RetiredDocument } from './campaign-document.ts'
import { connectClients, type Clients } from './clients.ts'
import { Fault } from './fault.ts'
import { runLoad } from './load.ts'
import { planRound, type BrokenStart, type RoundPlan } from './plan.ts'
import { Random } from './random.ts'
import { Resident } from './resident.ts'
import { ServerLife, type Death } from './server-life.ts'
import { COMPACTION_STEPS, type ServerSettings, type Step } from './steps.ts'
import { count, type FaultReport, type Tally } from './tally.ts'
import { verifyConvergence, verifyOwed, verifyRetired } from './verify.ts'

export interface LaneOptions {
  readonly seed: string
  readonly lane: number
  readonly firstEpisode: number
  readonly directory: string
  /** What is started and killed. */
  readonly script: string
  /** Asked before each round. */
  readonly isDone: () => boolean
  /** Called after each round with what it counted. */
  readonly handleRound: (tally: Tally, nextEpisode: number) => void
  readonly handleFault: (report: FaultReport) => void
}

/** A round that takes longer hangs. */
const ROUND_MS = 300_000
/** `closeTimeoutMs` is 5 s; the rest is for a busy machine. */
const SIGTERM_MS = 60_000
/** Below the ports that systems give to outgoing connections, so that nobody takes it while the server is down. */
const FIRST_PORT = 20_000
const PORTS = 10_000

/** Episode after episode, each with a directory of its own, until it is done. */
export async function runLane(options: LaneOptions): Promise<void> {
  for (let number = options.firstEpisode; !options.isDone(); number++)
    await new Episode(options, number).run()
}

/** Rounds of load, kill and verification on one directory, until everything owed is compared a last time. */
class Episode {
  readonly #options: LaneOptions
  readonly #number: number
  readonly #seed: string
  readonly #random: Random
  readonly #directory: string
  readonly #publicPort: number
  #documents: CampaignDocument[] = []
  readonly #retired: RetiredDocument[] = []
  #resident: Resident | null = null
  #nextName = 0
  #round = 0
  #plan: RoundPlan | null = null
  #tally: Tally = {}
  #life: ServerLife | null = null
  #clients: Clients | null = null
  #fault: unknown = null

  constructor(options: LaneOptions, number: number) {
    this.#options = options
    this.#number = number
    this.#seed = `${options.seed}/${options.lane}/${number}`
    this.#random = new Random(this.#seed)
    this.#directory = join(options.directory, `${options.seed}-${options.lane}-${number}`)
    this.#publicPort = FIRST_PORT + ((process.pid + options.lane * 997) % PORTS)
  }

  async run(): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    const rounds = this.#random.int(5, 30)
    for (let documents = this.#random.int(1, 3); documents > 0; documents--) this.#addDocument()
    try {
      while (this.#round < rounds && !this.#options.isDone()) {
        this.#round++
        await withinLimit(this.#runRound())
        this.#report()
      }
      await withinLimit(this.#runLastRound())
      count(this.#tally, 'episodes')
      await rm(this.#directory, { recursive: true, force: true })
    } catch (error) {
      await this.#reportFault(error)
    } finally {
      this.#resident?.destroy()
      this.#clients?.close()
      if (this.#life?.hasEnded === false) this.#life.signal('SIGKILL')
      await this.#life?.ended
      this.#report()
    }
  }

  async #runRound(): Promise<void> {
    const random = new Random(`${this.#seed}/${this.#round}`)
    const plan = planRound(random)
    this.#plan = plan
    for (const broken of plan.brokenStarts) await this.#breakStart(plan, broken)
    const { life, clients } = await this.#startAndVerify(plan)
    this.#rotate(random)
    if (this.#resident !== null) count(this.#tally, 'roundsWithProvider')
    await this.#joinNewDocuments(clients)
    let isTold = false
    const loading = runLoad({
      plan,
      seed: `${this.#seed}/${this.#round}/load`,
      clients,
      documents: this.#documents,
      resident: this.#resident,
      tally: this.#tally,
      isOver: () => isTold || life.hasEnded || !clients.reader.socket.connected,
      ended: life.ended,
      handleFault: this.#handleFault,
    })
    const { ending } = plan
    if (ending.kind === 'step') life.tell({ kind: 'die', order: ending.order })
    const timer = setTimeout(() => {
      isTold = true
      life.signal(ending.kind === 'sigterm' ? 'SIGTERM' : 'SIGKILL')
    }, ending.ms)
    const death = await (ending.kind === 'sigterm' ? endsInOrder(life, ending.ms) : life.ended)
    clearTimeout(timer)
    await clients.whenLost()
    await loading
    this.#judge(death, ending.kind === 'sigterm')
    if (ending.kind === 'step')
      count(this.#tally, isTold ? 'stepsNotReached' : 'killsAtOrderedStep')
    if (ending.kind === 'timer') count(this.#tally, 'killsByTimer')
    if (this.#fault !== null) throw this.#fault
  }

  /** Killed while it starts; whatever it had begun to put in order is left to the next one. */
  async #breakStart(plan: RoundPlan, { order, ms }: BrokenStart): Promise<void> {
    const life = new ServerLife(this.#options.script, this.#settings(plan, order))
    this.#life = life
    const timer = setTimeout(() => life.signal('SIGKILL'), ms)
    // With nothing to sweep it does not come to that step.
    const isReady = (await life.ready()) !== null
    if (isReady) life.signal('SIGKILL')
    const death = await life.ended
    clearTimeout(timer)
    this.#judge(death, false)
    count(this.#tally, isReady ? 'killsJustAfterStart' : 'killsDuringStart')
    if (!isReady && death.underWay.includes('open')) count(this.#tally, 'killsDuringRecovery')
  }

  async #startAndVerify(plan: RoundPlan): Promise<{ life: ServerLife; clients: Clients }> {
    const life = new ServerLife(this.#options.script, this.#settings(plan, null))
    this.#life = life
    const ready = await life.ready()
    if (ready === null) throw new Fault('did-not-start', JSON.stringify(await life.ended))
    count(this.#tally, 'starts')
    count(this.#tally, 'startMs', Math.round(performance.now() - life.startedAt))
    count(this.#tally, 'startImportMs', Math.round(ready.importMs))
    count(this.#tally, 'startOpenMs', Math.round(ready.openMs))
    const verifiedFrom = performance.now()
    const url = `http://127.0.0.1:${ready.port}`
    const clients = await connectClients(url, this.#documents, this.#handleFault)
    this.#clients = clients
    await Promise.all(this.#documents.map((one) => verifyOwed(one, clients, this.#tally)))
    if (this.#resident !== null) await life.listen()
    await verifyConvergence(this.#documents, clients, this.#resident, this.#tally)
    count(this.#tally, 'verifyMs', Math.round(performance.now() - verifiedFrom))
    if (this.#fault !== null) throw this.#fault
    return { life, clients }
  }

  /** Now and then another document, and a provider that comes or goes. */
  #rotate(random: Random): void {
    if (this.#resident !== null && random.chance(0.15)) {
      this.#resident.document.addWriter(this.#resident.doc)
      this.#resident.destroy()
      this.#resident = null
    } else if (this.#resident === null && random.chance(0.1))
      this.#resident = new Resident(random.pick(this.#documents), this.#publicPort)
    if (!random.chance(0.1)) return
    const leaving = this.#documents.find((one) => one !== this.#resident?.document)
    if (leaving === undefined) return
    this.#retired.push(retire(leaving))
    this.#documents.splice(this.#documents.indexOf(leaving), 1)
    this.#addDocument()
  }

  /** Those of this round; their history begins here. */
  async #joinNewDocuments(clients: Clients): Promise<void> {
    if (this.#resident !== null && this.#life !== null) await this.#life.listen()
    for (const document of this.#documents) {
      if (document.history.ledger.epoch !== null) continue
      await verifyOwed(document, clients, this.#tally)
      await verifyConvergence([document], clients, null, this.#tally)
    }
  }

  async #runLastRound(): Promise<void> {
    const plan = planRound(new Random(`${this.#seed}/last`))
    const { life, clients } = await this.#startAndVerify(plan)
    for (const document of this.#documents) this.#retired.push(retire(document))
    this.#documents.length = 0
    this.#resident?.destroy()
    this.#resident = null
    clients.close()
    life.signal('SIGTERM')
    this.#judge(await endsInOrder(life, 0), true)
    const again = await this.#startAndVerify(plan)
    for (const retired of this.#retired) await verifyRetired(retired, again.clients, this.#tally)
    again.clients.close()
    again.life.signal('SIGTERM')
    this.#judge(await endsInOrder(again.life, 0), true)
  }

  #judge({ code, signal, underWay, errors }: Death, isInOrder: boolean): void {
    if (errors.length > 0) throw new Fault('logged-error', errors.join('\n'))
    if (isInOrder) {
      if (code !== 0) throw new Fault('did-not-end', `SIGTERM ended it with ${code ?? signal}`)
      count(this.#tally, 'sigterms')
      return
    }
    if (signal !== 'SIGKILL') throw new Fault('died-unasked', `it ended with ${code ?? signal}`)
    count(this.#tally, 'kills')
    for (const step of underWay) count(this.#tally, `killsIn:${step}`)
    const isCompaction = (step: Step): boolean =>
      (COMPACTION_STEPS as readonly Step[]).includes(step)
    if (underWay.some(isCompaction)) count(this.#tally, 'killsInCompaction')
  }

  #settings(plan: RoundPlan, death: ServerSettings['death']): ServerSettings {
    const { compactAfterEntries, compactAfterBytes } = plan
    const [directory, publicPort] = [this.#directory, this.#publicPort]
    return { directory, publicPort, compactAfterEntries, compactAfterBytes, death }
  }

  #addDocument(): void {
    this.#documents.push(new CampaignDocument(`document-${this.#nextName++}`))
  }

  #report(): void {
    const tally = this.#tally
    this.#tally = {}
    this.#options.handleRound(tally, this.#number + 1)
  }

  readonly #handleFault = (fault: unknown): void => {
    this.#fault ??= fault
  }

  async #reportFault(error: unknown): Promise<void> {
    const isFault = error instanceof Fault
    const report: FaultReport = {
      kind: isFault ? error.kind : 'defect-of-the-campaign',
      message: isFault ? error.message : String((error as Error).stack ?? error),
      episode: this.#seed,
      round: this.#round,
      plan: this.#plan,
      directory: this.#directory,
    }
    await writeFile(join(this.#directory, 'fault.json'), `${JSON.stringify(report, null, 2)}\n`)
    this.#options.handleFault(report)
  }
}

async function endsInOrder(life: ServerLife, afterMs: number): Promise<Death> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    const complaint = new Fault('did-not-end', `still running ${SIGTERM_MS} ms after SIGTERM`)
    timer = setTimeout(() => reject(complaint), afterMs + SIGTERM_MS)
  })
  return Promise.race([life.ended, tooLate]).finally(() => clearTimeout(timer))
}

async function withinLimit(round: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    const stuck = new Fault('stuck', `a round took longer than ${ROUND_MS} ms`)
    timer = setTimeout(() => reject(stuck), ROUND_MS)
  })
  return Promise.race([round, limit]).finally(() => clearTimeout(timer))
}
