/**
 * What the server can be at when it is killed, each with the letter that stands for it on the report pipe: capital when
 * it begins, small when it is done.
 */
export const STEPS = {
  /** The storage is being opened: LevelDB's recovery, and the marks of what an earlier kill cut short. */
  open: 'O',
  /** One batch of updates on its way to the disk. */
  append: 'A',
  /** A worker thread folds a log. */
  fold: 'F',
  /** `replacePrefix` or `condense`, from its first write to its answer. */
  replace: 'P',
  /** Chunks of a snapshot that nothing refers to yet. */
  chunks: 'C',
  /** The last write of a snapshot: its manifest, with the chunks if they are few. */
  manifest: 'M',
  /** The document record that makes the new snapshot the valid one. */
  record: 'R',
  /** Rows that nothing needs any more are removed, range by range. */
  sweep: 'S',
  /** The mark that rows are to be removed is taken away. */
  unmark: 'U',
  /** LevelDB's tables are rewritten without what was removed. */
  merge: 'T',
  /** A document is deleted. */
  remove: 'D',
} as const

export type Step = keyof typeof STEPS

export const COMPACTION_STEPS = [
  'fold',
  'replace',
  'chunks',
  'manifest',
  'record',
  'sweep',
  'unmark',
  'merge',
] as const satisfies Step[]

/** An order to the server to end itself with SIGKILL at the `count`-th time that it comes to a step. */
export interface DeathOrder {
  readonly step: Step
  readonly count: number
  readonly moment: 'before' | 'during' | 'after'
  /** How long after the step began, for `during`. */
  readonly microseconds: number
}

/** How the server is started; one argument, as JSON. */
export interface ServerSettings {
  readonly directory: string
  /** Where the provider looks for the server; opened when told so. */
  readonly publicPort: number
  readonly compactAfterEntries: number
  readonly compactAfterBytes: number
  readonly death: DeathOrder | null
}

/** What the server says on its standard output, a line each. */
export type ServerSays =
  | {
      readonly kind: 'ready'
      readonly port: number
      readonly importMs: number
      readonly openMs: number
    }
  | { readonly kind: 'listening' }
  | { readonly kind: 'error'; readonly message: string }

/** What it is told on its standard input, a line each. */
export type ServerHears =
  | { readonly kind: 'listen' }
  | { readonly kind: 'die'; readonly order: DeathOrder }

/** The steps that had begun and not ended when the reports broke off. */
export function stepsUnderWay(reports: string): Step[] {
  const underWay = new Map<string, number>()
  for (const letter of reports) {
    const begins = letter === letter.toUpperCase()
    const key = letter.toUpperCase()
    underWay.set(key, (underWay.get(key) ?? 0) + (begins ? 1 : -1))
  }
  return (Object.keys(STEPS) as Step[]).filter((step) => (underWay.get(STEPS[step]) ?? 0) > 0)
}
