import { Random } from '../update/random-world.ts'
import type { NetworkWeather } from './network.ts'
import type { ServerSettings } from './server-node.ts'

/** Something that happens to the world, `afterMs` after what came before it. */
export type Action = { readonly afterMs: number } & (
  | {
      readonly kind: 'edit'
      readonly editor: number
      readonly seed: number
      readonly edits: number
    }
  | { readonly kind: 'paste'; readonly editor: number; readonly bytes: number }
  | { readonly kind: 'move'; readonly editor: number; readonly seed: number }
  | { readonly kind: 'disconnect'; readonly editor: number }
  | { readonly kind: 'connect'; readonly editor: number }
  /** Another provider on the same Y.Doc. */
  | { readonly kind: 'reopen'; readonly editor: number }
  /** The tab is closed, whatever was saved, and another one opened. */
  | { readonly kind: 'replace'; readonly editor: number }
  | { readonly kind: 'cut'; readonly client: number }
  | { readonly kind: 'cut-off'; readonly client: number }
  | { readonly kind: 'plug-in'; readonly client: number }
  | { readonly kind: 'stop-reading'; readonly client: number; readonly ms: number }
  | { readonly kind: 'kill'; readonly power: boolean; readonly downMs: number }
  /** Kills after so many events from here: at any await of whatever is under way then. */
  | { readonly kind: 'kill-soon'; readonly power: boolean; readonly events: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'compact'; readonly document: number }
  | { readonly kind: 'server-edit'; readonly document: number; readonly seed: number }
  /** Writes over HTTP: one, or more than a document may have in its log when it is left. */
  | {
      readonly kind: 'post'
      readonly document: number
      readonly seed: number
      readonly edits: number
    }
  | { readonly kind: 'read'; readonly document: number }
  | { readonly kind: 'delete'; readonly document: number }
  | { readonly kind: 'write-errors'; readonly share: number; readonly ms: number }
  | { readonly kind: 'read-errors'; readonly share: number; readonly ms: number }
  | { readonly kind: 'full-disk'; readonly ms: number }
  | { readonly kind: 'backup' }
  | { readonly kind: 'restore' }
  /** All that the client has open is gone without a word, and opened anew. Only with devices. */
  | { readonly kind: 'crash-page'; readonly client: number }
  /** The browser closes its databases under the pages. */
  | { readonly kind: 'kill-databases'; readonly client: number }
  | { readonly kind: 'full-device'; readonly client: number; readonly ms: number }
)

type ActionKind = Action['kind']

/** Clients as pages of browsers: they meet over BroadcastChannel, and may keep their documents. */
interface DeviceSettings {
  /** So many clients in a row are pages of one device. */
  readonly pages: number
  /** In IndexedDB, and across crashes. */
  readonly keepsCopies: boolean
  /** The longest that a database, a lock or a message to another page takes, in milliseconds. */
  readonly latencyMs: number
}

/** Everything that a run depends on: the same story is the same run, to the last event. */
export interface Story {
  /** Draws delays, losses and failures. */
  readonly seed: number
  readonly clients: number
  readonly documents: number
  /** Y.Docs that each client has open of each document, all over one connection. */
  readonly tabs: number
  /** The last clients may only read, so many of them. */
  readonly readers: number
  readonly network: NetworkWeather
  readonly diskLatencyMs: number
  readonly outboxSoftBytes: number
  readonly server: ServerSettings
  /** Absent: each client is a process without tabs and without a local copy. */
  readonly devices?: DeviceSettings
  readonly actions: readonly Action[]
}

export const CALM_NETWORK: NetworkWeather = {
  latencyMs: 5,
  stall: 0,
  loss: 0,
  doubling: 0,
  overtaking: 0,
}

type Weights = Partial<Record<ActionKind, number>>

const CALM_WEIGHTS: Weights = { edit: 60, move: 8, read: 1, compact: 2, 'server-edit': 2, post: 2 }

const DISTURBANCES: readonly Weights[] = [
  { cut: 6, 'cut-off': 2, 'plug-in': 3, disconnect: 3, connect: 5 },
  { kill: 2, 'kill-soon': 4 },
  { restart: 2 },
  { reopen: 4, replace: 4, disconnect: 3, connect: 5 },
  { post: 6, replace: 10, disconnect: 10, connect: 10 },
  { 'write-errors': 2, 'read-errors': 1, 'full-disk': 1 },
  { compact: 12, 'kill-soon': 4 },
  { 'stop-reading': 6 },
  { paste: 2 },
]

/** What is deleted ends for who is there, and must not come back with who was away. */
const DELETIONS: Weights = {
  delete: 5,
  disconnect: 6,
  connect: 8,
  replace: 6,
  'cut-off': 2,
  'plug-in': 3,
}

/** What counts is who was away, and comes back with a number that means another entry by now. */
const RESTORES: Weights = { backup: 3, restore: 3, disconnect: 6, connect: 8 }

/** Pages come and go, and are offline together; what one has seen only on its own device must not be lost with it. */
const DEVICE_TROUBLES: readonly Weights[] = [
  { 'crash-page': 6 },
  { 'crash-page': 3, 'cut-off': 8, 'plug-in': 4 },
  { 'kill-databases': 3, 'full-device': 3, replace: 4 },
]

/** The story of a seed. Each has its own mixture: a few kinds of trouble often, rather than all a little. */
export function storyOf(seed: number): Story {
  const random = new Random(seed)
  const weights: Record<string, number> = { ...CALM_WEIGHTS }
  for (const disturbance of DISTURBANCES)
    if (random.chance(0.4))
      for (const [kind, weight] of Object.entries(disturbance))
        weights[kind] = (weights[kind] ?? 0) + weight
  // Both end or turn back histories; together they would need a new database id (see docs/guarantees.md).
  if (random.chance(0.15)) Object.assign(weights, DELETIONS)
  else if (random.chance(0.1)) Object.assign(weights, RESTORES)
  const devices = random.chance(0.4) ? devicesOf(random) : undefined
  if (devices !== undefined) Object.assign(weights, random.pick(DEVICE_TROUBLES))
  const clients = 1 + random.below(4)
  const documents = random.chance(0.6) ? 1 : 1 + random.below(3)
  const tabs = random.chance(0.2) ? 2 : 1
  // What only a reader still holds after a backup was restored is rightly refused.
  // Pages of one device are one person; what a page took from another is refused when both turn out to be readers.
  const mayRead = weights['restore'] === undefined && devices === undefined
  const readers = clients > 1 && random.chance(0.2) && mayRead ? 1 : 0
  const isLossy = random.chance(0.2)
  const kinds = Object.entries(weights).flatMap(([kind, weight]) =>
    Array.from({ length: weight }, () => kind as ActionKind),
  )
  const pace = random.pick([3, 30, 300])
  return {
    seed,
    clients,
    documents,
    tabs,
    readers,
    network: {
      latencyMs: random.pick([0, 5, 40, 200]),
      stall: random.chance(0.3) ? 0.02 : 0,
      loss: isLossy ? 0.03 : 0,
      doubling: isLossy ? 0.05 : 0,
      overtaking: isLossy ? 0.1 : 0,
    },
    diskLatencyMs: random.pick([0, 1, 5, 50]),
    outboxSoftBytes: random.pick([300, 2000, 1_000_000]),
    server: {
      relayIntervalMs: random.pick([0, 16, 100]),
      presenceIntervalMs: random.pick([0, 50]),
      idleUnloadMs: random.pick([0, 10, 30_000]),
      recentBytes: random.pick([0, 200, 262_144]),
      snapshotCacheBytes: random.pick([0, 67_108_864]),
      compactAfterEntries: random.pick([2, 5, 20, 2000]),
      commitIntervalMs: random.pick([0, 4, 50]),
      workerMs: random.pick([0, 5, 100]),
      workerError: random.chance(0.1) ? 0.2 : 0,
    },
    ...(devices === undefined ? {} : { devices }),
    actions: Array.from({ length: 8 + random.below(42) }, () =>
      actionOf(random.pick(kinds), random, { clients, documents, tabs }, random.below(pace)),
    ),
  }
}

function devicesOf(random: Random): DeviceSettings {
  return {
    pages: 1 + random.below(3),
    keepsCopies: random.chance(0.75),
    latencyMs: random.pick([0, 2, 20, 200]),
  }
}

function actionOf(
  kind: ActionKind,
  random: Random,
  { clients, documents, tabs }: Pick<Story, 'clients' | 'documents' | 'tabs'>,
  afterMs: number,
): Action {
  const editor = random.below(clients * documents * tabs)
  const client = random.below(clients)
  const document = random.below(documents)
  const seed = random.below(2 ** 31)
  switch (kind) {
    case 'edit':
      return { afterMs, kind, editor, seed, edits: random.chance(0.8) ? 1 : 1 + random.below(20) }
    case 'paste':
      return { afterMs, kind, editor, bytes: random.pick([2000, 20_000, 300_000, 600_000]) }
    case 'move':
      return { afterMs, kind, editor, seed }
    case 'disconnect':
    case 'connect':
    case 'reopen':
    case 'replace':
      return { afterMs, kind, editor }
    case 'cut':
    case 'cut-off':
    case 'plug-in':
    case 'crash-page':
    case 'kill-databases':
      return { afterMs, kind, client }
    case 'full-device':
      return { afterMs, kind, client, ms: random.below(10_000) }
    case 'stop-reading':
      return { afterMs, kind, client, ms: random.pick([100, 2000, 60_000]) }
    case 'kill':
      return { afterMs, kind, power: random.chance(0.5), downMs: random.below(3000) }
    case 'kill-soon':
      return { afterMs, kind, power: random.chance(0.5), events: 1 + random.below(40) }
    case 'compact':
    case 'read':
    case 'delete':
      return { afterMs, kind, document }
    case 'server-edit':
      return { afterMs, kind, document, seed }
    case 'post':
      return { afterMs, kind, document, seed, edits: random.chance(0.8) ? 1 : 80 }
    case 'write-errors':
      return { afterMs, kind, share: random.pick([0.1, 0.5, 1]), ms: random.below(2000) }
    case 'read-errors':
      return { afterMs, kind, share: random.pick([0.05, 0.3]), ms: random.below(2000) }
    case 'full-disk':
      return { afterMs, kind, ms: random.below(5000) }
    case 'restart':
    case 'backup':
    case 'restore':
      return { afterMs, kind }
  }
}

/** A story in lines that a person can follow. */
export function tell(story: Story): string {
  const { actions, ...setting } = story
  return [
    JSON.stringify(setting),
    ...actions.map(({ afterMs, kind, ...details }) => {
      const words = Object.entries(details).map(([name, value]) => `${name} ${String(value)}`)
      return `  +${afterMs} ms  ${kind}  ${words.join(', ')}`.trimEnd()
    }),
  ].join('\n')
}
