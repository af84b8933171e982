import { writeSync } from 'node:fs'
import { Level } from 'level'
import { Piscina } from 'piscina'
import type { Storage } from 'y-rooms/server'
import { STEPS, type DeathOrder, type Step } from './steps.ts'

/** The pipe that the driver made. What was written there is read after the kill too. */
const REPORTS = 3

/** First bytes of LevelDB keys, as in `src/storage/level-keys.ts`. */
const DOCUMENT = 1
const MANIFEST = 3
const CHUNK = 4
const UNSWEPT = 5

let order: DeathOrder | null = null
let countdown = 0

export function orderDeath(next: DeathOrder | null): void {
  order = next
  countdown = next?.count ?? 0
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}

/** Says when a step begins and ends, a byte each, and ends the process there if so ordered. */
async function reporting<Result>(step: Step, work: () => Promise<Result>): Promise<Result> {
  const isLast = order?.step === step && --countdown === 0
  if (isLast && order?.moment === 'before') die()
  writeSync(REPORTS, STEPS[step])
  const running = work()
  if (isLast && order?.moment === 'during') dieSoon(step, order.microseconds)
  try {
    return await running
  } finally {
    if (isLast && order?.moment === 'after') die()
    writeSync(REPORTS, STEPS[step].toLowerCase())
  }
}

function dieSoon(step: Step, microseconds: number): void {
  // A fold takes as long as its thread takes to start; what is a write is over in a millisecond, less than a timer.
  if (step === 'fold' || step === 'replace' || step === 'open' || step === 'merge') {
    setTimeout(die, microseconds / 1000)
    return
  }
  const end = performance.now() + microseconds / 1000
  while (performance.now() < end);
  die()
}

interface Operation {
  readonly type: 'put' | 'del'
  readonly key: Uint8Array
}

/** Which step a batch is, told from the kinds of its keys. */
function stepOf(operations: readonly Operation[]): Step {
  const puts = (kind: number): boolean =>
    operations.some(({ type, key }) => type === 'put' && key[0] === kind)
  if (puts(MANIFEST)) return 'manifest'
  if (puts(CHUNK)) return 'chunks'
  if (puts(UNSWEPT)) return 'remove'
  if (puts(DOCUMENT) && replacing > 0) return 'record'
  return operations.some(({ type, key }) => type === 'del' && key[0] === UNSWEPT)
    ? 'unmark'
    : 'append'
}

let replacing = 0

/** Wraps what LevelDB and the worker threads are asked, for all code in this process. */
export function watchLevelAndWorkers(): void {
  const level = Level.prototype as unknown as Record<
    'batch' | 'clear' | 'compactRange',
    (this: unknown, ...args: unknown[]) => Promise<unknown>
  >
  const { batch, clear, compactRange } = level
  level.batch = function (operations, ...rest) {
    return reporting(stepOf(operations as Operation[]), () => batch.call(this, operations, ...rest))
  }
  level.clear = function (...args) {
    return reporting('sweep', () => clear.call(this, ...args))
  }
  level.compactRange = function (...args) {
    return reporting('merge', () => compactRange.call(this, ...args))
  }
  const { run } = Piscina.prototype
  Piscina.prototype.run = function (task: { kind: string }, ...rest) {
    const start = (): Promise<unknown> => run.call(this, task, ...rest)
    return task.kind === 'fold' ? reporting('fold', start) : start()
  }
}

export function watchStorage(storage: Storage): Storage {
  const open = storage.open.bind(storage)
  storage.open = () => reporting('open', open)
  const replacePrefix = storage.replacePrefix.bind(storage)
  storage.replacePrefix = async (name, epoch, snapshot) => {
    replacing++
    try {
      return await reporting('replace', () => replacePrefix(name, epoch, snapshot))
    } finally {
      replacing--
    }
  }
  const condense = storage.condense?.bind(storage)
  if (condense !== undefined)
    storage.condense = async (name, epoch) => {
      replacing++
      try {
        return await reporting('replace', () => condense(name, epoch))
      } finally {
        replacing--
      }
    }
  return storage
}
