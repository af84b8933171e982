import * as Y from 'yjs'
import type { Clock } from '../../client/index.ts'
import type { DocumentsApi } from '../../src/http/documents-router.ts'
import type { DocumentName } from '../../protocol/index.ts'
import { edit } from '../update/random-edit.ts'
import { Random } from '../update/random-world.ts'
import { Books } from './books.ts'
import { Device } from './browser/device.ts'
import { installBrowser } from './browser/globals.ts'
import { Page } from './browser/page.ts'
import { CALM, SimulatedDisk } from './disk.ts'
import { Editor } from './editor.ts'
import { ClientNetwork, type NetworkWeather } from './network.ts'
import type { Rows } from './rows.ts'
import { ServerNode } from './server-node.ts'
import type { Action, Story } from './story.ts'
import { Life, settled, Timeline } from './timeline.ts'

/** Kinds of trouble in which a device may forget which history its unconfirmed changes belong to: they are new ones to the next. */
const DEVICE_TROUBLE: ReadonlySet<string> = new Set(['crash-page', 'kill-databases', 'full-device'])

/** Kinds of trouble in which a server may log errors and refuse requests. */
const DISK_TROUBLE: ReadonlySet<string> = new Set(['write-errors', 'read-errors', 'full-disk'])

/** What a story has done so far. Faults are what must never be. */
export class World {
  readonly story: Story
  readonly timeline = new Timeline((error) => this.fault(`an event threw: ${stackOf(error)}`))
  readonly random: Random
  readonly disk: SimulatedDisk
  readonly weather: NetworkWeather
  readonly books = new Books()
  readonly editors: Editor[] = []
  readonly #readers: ReadonlySet<string>
  readonly clients: ClientNetwork[] = []
  /** Of each client, if the story has devices. */
  readonly #pages: Page[] = []
  readonly devices: readonly Device[]
  readonly clientLife = new Life('clients')
  /** One for all: providers share a connection only if they share their clock. */
  readonly #clock: Clock
  readonly names: readonly string[]
  readonly faults: string[] = []
  /** Histories that were deleted: they must never come back. */
  readonly deleted = new Set<string>()
  /** Who wrote in them: nothing of theirs may be in what came after. */
  readonly authorsOfDeleted = new Map<string, Set<number>>()
  /**
   * Who edited in one of several tabs before any of them knew a history: a tab may have uploaded it, and have gone before its author
   * heard of that. To the author it is not saved yet, and he brings it to the history that he joins. docs/guarantees.md says so.
   */
  readonly unboundAuthors = new Set<number>()
  /** Documents whose history may have ended. */
  readonly endings = new Set<string>()
  /**
   * A page that took another's content from a third one trusts that one to upload it, who trusts the first, who has died: the self-check of any
   * of them finds it sooner than the pings do.
   */
  readonly mayTrustTheDead: boolean
  /** A change that was deleted with its document may be uploaded once more by a device. */
  readonly mayForgetHistory: boolean
  /** Looks at the disk after a crash. */
  readonly #inspect: (world: World) => Promise<void>
  readonly #hasDiskTrouble: boolean
  /** They are being replaced. */
  readonly #leaving = new WeakSet<Editor>()
  wasRestored = false
  node: ServerNode | null = null
  /** Whoever asks a server that is being closed is refused. */
  #isClosing = false
  #lives = 0
  #nextClientId = 1
  #backup: Rows | null = null
  #eventsToKill: { left: number; readonly power: boolean } | null = null

  constructor(story: Story, inspect: (world: World) => Promise<void>) {
    this.story = story
    this.#inspect = inspect
    this.random = new Random(story.seed ^ 0x5eed)
    this.#clock = this.timeline.clientClock(this.clientLife, this.random)
    this.disk = new SimulatedDisk(this.timeline, this.random)
    this.disk.weather.latencyMs = story.diskLatencyMs
    this.weather = { ...story.network }
    this.names = Array.from({ length: story.documents }, (_, index) => `document-${index}`)
    this.mayTrustTheDead =
      story.devices !== undefined && story.actions.some(({ kind }) => kind === 'crash-page')
    this.mayForgetHistory =
      story.devices?.keepsCopies === true &&
      story.actions.some(({ kind }) => DEVICE_TROUBLE.has(kind))
    this.#hasDiskTrouble =
      story.server.workerError > 0 || story.actions.some(({ kind }) => DISK_TROUBLE.has(kind))
    this.#readers = new Set(
      Array.from({ length: story.readers }, (_, index) => nameOf(story.clients - 1 - index)),
    )
    this.devices = this.#allDevices()
    installBrowser(this.devices)
    this.start()
    for (let client = 0; client < story.clients; client++) {
      this.#openPage(client)
      for (const name of this.names)
        for (let tab = 0; tab < story.tabs; tab++) this.editors.push(this.#editor(client, name))
    }
  }

  /** Pages of one device, or several Y.Docs of one page, hear one another. */
  get #haveTabs(): boolean {
    const { devices, tabs } = this.story
    return devices !== undefined && (devices.pages > 1 || tabs > 1)
  }

  fault(what: string): void {
    if (this.faults.length < 10) this.faults.push(`${this.timeline.elapsedMs} ms: ${what}`)
  }

  start(): void {
    if (this.node !== null) return
    this.node = new ServerNode(
      `server ${++this.#lives}`,
      this.story.server,
      this.#readers,
      this.timeline,
      this.disk,
      this.random,
      () => this.#handleNotOpened(),
    )
  }

  /** A server that cannot open its storage ends, and whoever looks after it starts it again. */
  #handleNotOpened(): void {
    this.#lookAtErrors()
    if (!this.#hasDiskTrouble) this.fault('the storage could not be opened')
    this.node?.kill()
    this.node = null
    this.timeline.schedule(1000, this.clientLife, () => this.start())
  }

  /** Lets this much time pass. */
  async pass(ms: number): Promise<void> {
    // What was set off just now comes before anything that time brings.
    await settled()
    let isOver = false
    this.timeline.schedule(ms, this.clientLife, () => (isOver = true))
    while (!isOver && this.faults.length === 0) {
      await this.timeline.step()
      const kill = this.#eventsToKill
      if (kill !== null && --kill.left <= 0) {
        this.#eventsToKill = null
        await this.kill(kill.power)
        this.start()
      }
    }
    this.#lookAtErrors()
  }

  async perform(action: Action): Promise<void> {
    const { timeline, clientLife, disk } = this
    const { weather } = disk
    switch (action.kind) {
      case 'kill':
        await this.kill(action.power)
        timeline.schedule(action.downMs, clientLife, () => this.start())
        return
      case 'kill-soon':
        this.#eventsToKill = { left: action.events, power: action.power }
        return
      case 'restart':
        return this.restart()
      case 'restore':
        return this.#restore()
      case 'edit':
        return this.#editorOf(action).edit(action.seed, action.edits)
      case 'paste':
        return this.#editorOf(action).paste(action.bytes)
      case 'move':
        return this.#editorOf(action).move(action.seed)
      case 'disconnect':
        return this.#editorOf(action).provider.disconnect()
      case 'connect':
        return this.#editorOf(action).provider.connect()
      case 'reopen':
        return this.#editorOf(action).reopen()
      case 'replace':
        return this.replace(action.editor)
      case 'cut':
        return this.#clientOf(action).cut()
      case 'cut-off':
        return this.#clientOf(action).cutOff()
      case 'plug-in':
        return this.#clientOf(action).plugIn()
      case 'stop-reading':
        return this.#clientOf(action).stopReading(action.ms)
      case 'compact':
        return this.#ask((node, name) => node.server.compact(name), action.document)
      case 'read':
        return this.#ask(async (node, name) => {
          await this.#read(node, name)
          await node.server.documentsApi().readJson(name)
        }, action.document)
      case 'post':
        return this.#ask((node, name) => this.#post(node, name, action), action.document)
      case 'server-edit':
        return this.#ask((node, name) => this.#serverEdit(node, name, action.seed), action.document)
      case 'delete':
        return this.#delete(action.document)
      case 'write-errors':
        weather.writeError = action.share
        timeline.schedule(action.ms, clientLife, () => (weather.writeError = 0))
        return
      case 'read-errors':
        weather.readError = action.share
        timeline.schedule(action.ms, clientLife, () => (weather.readError = 0))
        return
      case 'full-disk':
        weather.isFull = true
        timeline.schedule(action.ms, clientLife, () => (weather.isFull = false))
        return
      case 'backup':
        this.#backup = disk.rows()
        return
      case 'crash-page':
        return this.#crashPage(action.client)
      case 'kill-databases':
        return this.#pages[action.client]?.device.killDatabases()
      case 'full-device': {
        const device = this.#pages[action.client]?.device
        if (device === undefined) return
        device.isFull = true
        timeline.schedule(action.ms, clientLife, () => (device.isFull = false))
      }
    }
  }

  async kill(power: boolean): Promise<void> {
    if (this.node === null) return
    this.#lookAtErrors()
    this.node.kill()
    this.node = null
    if (power) this.disk.cutPower()
    await this.#inspect(this)
  }

  async restart(): Promise<void> {
    const { node } = this
    if (node === null) return
    this.#isClosing = true
    await this.finish(node.server.close(), 'the server did not close', node)
    this.#isClosing = false
    // It may have been killed meanwhile.
    if (this.node === node) {
      node.kill()
      this.node = null
      await this.#inspect(this)
    }
    this.start()
  }

  /** Waits for a promise of the server; one that never settles is a fault. */
  async finish(work: Promise<unknown>, complaint: string, node: ServerNode): Promise<void> {
    let isDone = false
    work.then(
      () => (isDone = true),
      (error: unknown) => {
        isDone = true
        this.fault(`${complaint}: ${stackOf(error)}`)
      },
    )
    for (let seconds = 0; seconds < 120 && !isDone && node.life.isAlive; seconds++)
      await this.pass(1000)
    if (!isDone && node.life.isAlive) this.fault(complaint)
  }

  replace(index: number): void {
    const old = this.editors[index] as Editor
    old.close()
    this.editors[index] = this.#editor(this.#clientOfEditor(index), old.document)
  }

  /** As a person would: looks at what was kept of the history that is over, and opens the document anew. */
  replaceEnded(index: number): void {
    const old = this.editors[index] as Editor
    if (this.#leaving.has(old)) return
    this.#leaving.add(old)
    const reopen = (): void => {
      if (this.editors[index] === old) this.replace(index)
    }
    // Whatever stood against it: the next one will meet the same end, and try again.
    if (this.story.devices?.keepsCopies === true) old.setAside().then(reopen, reopen)
    else reopen()
  }

  async #crashPage(client: number): Promise<void> {
    const page = this.#pages[client]
    if (page === undefined) return
    const network = this.clients[client] as ClientNetwork
    network.cut()
    page.device.handlePageGone(page)
    const own = [...this.editors.keys()].filter((index) => this.#clientOfEditor(index) === client)
    for (const index of own) (this.editors[index] as Editor).abandon()
    // What they let go of in this turn was let go of by the process.
    await settled()
    page.life.end()
    this.#openPage(client)
    if (network.isCutOff) this.#clientOf({ client }).cutOff()
    for (const index of own)
      this.editors[index] = this.#editor(client, (this.editors[index] as Editor).document)
  }

  /** Timers of clients that are still there. */
  get clientTimers(): number {
    const lives = [this.clientLife, ...this.#pages.map(({ life }) => life)]
    return lives.reduce((sum, life) => sum + this.timeline.timersOf(life), 0)
  }

  /** Everything is as it should be from now on; what was broken heals by itself. */
  calmDown(): void {
    this.#eventsToKill = null
    Object.assign(this.disk.weather, CALM)
    Object.assign(this.weather, { stall: 0, loss: 0, doubling: 0, overtaking: 0 })
    this.start()
    for (const client of this.clients) client.plugIn()
    for (const device of this.devices) device.isFull = false
  }

  /** Asks the server for something that must succeed, unless the disk is in trouble or the document goes. */
  #ask(request: (node: ServerNode, name: DocumentName) => Promise<unknown>, index: number): void {
    const { node } = this
    const name = this.names[index] as DocumentName
    if (node === null) return
    request(node, name).catch((error: unknown) => {
      const isExplained = this.#hasDiskTrouble || this.endings.has(name) || this.#isClosing
      if (!isExplained || isDefect(error)) this.fault(`the server refused: ${stackOf(error)}`)
    })
  }

  /** Somebody edits inside the server, and is told when it is durable. */
  async #serverEdit(node: ServerNode, name: DocumentName, seed: number): Promise<void> {
    const editor = await node.server.open(name)
    const stored = await this.#read(node, name)
    const clientId = this.#nextClientId++
    const updates: Uint8Array[] = []
    await editor.transact((doc) => {
      // By itself it draws one: the order of what is written at one place would be another in every run.
      doc.clientID = clientId
      doc.once('update', (update: Uint8Array) => updates.push(update))
      edit(doc, new Random(seed))
    })
    if (stored !== null && !this.endings.has(name))
      for (const update of updates) this.books.owe(name, stored.epoch, update)
    await editor.close()
  }

  /** Somebody without our protocol reads a document, changes it, and sends the changes all at once. */
  async #post(
    node: ServerNode,
    name: DocumentName,
    { seed, edits }: { readonly seed: number; readonly edits: number },
  ): Promise<void> {
    const stored = await this.#read(node, name)
    const doc = new Y.Doc()
    doc.clientID = this.#nextClientId++
    if (stored !== null) Y.applyUpdate(doc, stored.update)
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    const random = new Random(seed)
    for (let count = 0; count < edits; count++) edit(doc, random)
    doc.destroy()
    const send = async (update: Uint8Array): Promise<void> => {
      await node.server.documentsApi().applyUpdate(name, update.slice(), null)
      if (stored !== null && !this.endings.has(name)) this.books.owe(name, stored.epoch, update)
    }
    await Promise.all(updates.map(send))
  }

  /** What a reader was given is owed, too. */
  async #read(
    node: ServerNode,
    name: DocumentName,
  ): Promise<Awaited<ReturnType<DocumentsApi['readUpdate']>>> {
    const stored = await node.server.documentsApi().readUpdate(name)
    if (stored !== null && !this.endings.has(name))
      this.books.owe(name, stored.epoch, stored.update)
    return stored
  }

  #delete(index: number): void {
    const name = this.names[index] as DocumentName
    this.endings.add(name)
    const epochs = this.books.epochsOf(name)
    const authors = this.books.authorsOf(name)
    this.#ask(async (node) => {
      await node.server.documentsApi().delete(name)
      for (const epoch of epochs) this.deleted.add(`${epoch} ${name}`)
      const known = this.authorsOfDeleted.get(name) ?? []
      this.authorsOfDeleted.set(name, new Set([...known, ...authors]))
    }, index)
  }

  async #restore(): Promise<void> {
    if (this.#backup === null || this.#backup.size === 0) return
    await this.kill(false)
    // Nobody learns anything more of what is lost now.
    for (const client of this.clients) client.cut()
    this.disk.restore(this.#backup)
    this.wasRestored = true
    this.books.forgetAll()
    for (const name of this.names) this.endings.add(name)
    this.start()
  }

  #lookAtErrors(): void {
    const errors = this.node?.errors.splice(0) ?? []
    for (const { message, error } of errors)
      if (!this.#hasDiskTrouble || isDefect(error))
        this.fault(`the server logged: ${message}: ${stackOf(error)}`)
  }

  #editorOf({ editor }: { readonly editor: number }): Editor {
    return this.editors[editor] as Editor
  }

  #clientOf({ client }: { readonly client: number }): ClientNetwork {
    return this.clients[client] as ClientNetwork
  }

  #clientOfEditor(index: number): number {
    return Math.floor(index / (this.story.documents * this.story.tabs))
  }

  #allDevices(): readonly Device[] {
    const { devices, clients } = this.story
    if (devices === undefined) return []
    return Array.from(
      { length: Math.ceil(clients / devices.pages) },
      () => new Device(this.timeline, this.random, devices.latencyMs),
    )
  }

  /** With its own process and connection. Without devices all clients share a process. */
  #openPage(client: number): void {
    const { devices } = this.story
    let life = this.clientLife
    if (devices !== undefined) {
      const device = this.devices[Math.floor(client / devices.pages)] as Device
      life = new Life(`${nameOf(client)} page ${++this.#lives}`)
      const clock = this.timeline.clientClock(life, this.random)
      this.#pages[client] = new Page(device, life, clock)
    }
    this.clients[client] = this.#network(client, life)
  }

  #network(client: number, life: Life): ClientNetwork {
    const softBytes = this.story.outboxSoftBytes
    return new ClientNetwork(nameOf(client), life, {
      timeline: this.timeline,
      random: this.random,
      weather: this.weather,
      outbox: { softBytes, hardBytes: softBytes * 16 },
      observer: this.books,
      host: () => this.node,
    })
  }

  #editor(client: number, document: string): Editor {
    const page = this.#pages[client] ?? null
    const clientId = this.#nextClientId++
    return new Editor({
      client: nameOf(client),
      isReader: this.#readers.has(nameOf(client)),
      document,
      clientId,
      network: this.clients[client] as ClientNetwork,
      clock: page?.clock ?? this.#clock,
      page,
      keepsCopy: this.story.devices?.keepsCopies === true,
      books: this.books,
      handleFault: (fault) => this.fault(fault),
      isEnding: (name) => this.endings.has(name),
      handleUnboundEdit: () => {
        if (this.#haveTabs) this.unboundAuthors.add(clientId)
      },
      isNumbered: () => !this.wasRestored,
      mayDiverge: () => this.wasRestored || this.mayTrustTheDead,
    })
  }
}

function nameOf(client: number): string {
  return `client-${client}`
}

/** No disk explains these: something was not as the code believes. */
function isDefect(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; { cause } = cause)
    if (cause instanceof TypeError || cause instanceof RangeError) return true
  return false
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
