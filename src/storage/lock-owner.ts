import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Who holds a directory, as its lock file says. Null where the platform does not tell. */
export interface LockOwner {
  /** Drawn for each lock, so that nobody removes a lock but its owner. */
  readonly token: string
  readonly pid: number
  readonly host: string
  /** When the process started, in clock ticks since boot: tells a process from a later one of the same pid. */
  readonly processStart: string | null
  /** Changes with every boot of the machine. */
  readonly bootId: string | null
  /** The pid namespace: a pid of another container means nothing here. */
  readonly pidNamespace: string | null
}

export function currentOwner(token: string): LockOwner {
  return {
    token,
    pid: process.pid,
    host: hostname(),
    processStart: processStart(process.pid),
    bootId: bootId(),
    pidNamespace: pidNamespace(),
  }
}

/** Null: not a lock file of ours, or one whose writing was cut short. */
export function parseOwner(text: string): LockOwner | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof parsed !== 'object' || parsed === null) return null
  const { token, pid, host, processStart, bootId, pidNamespace } = parsed as Record<string, unknown>
  if (typeof token !== 'string' || typeof host !== 'string') return null
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return null
  return {
    token,
    pid,
    host,
    processStart: textOrNull(processStart),
    bootId: textOrNull(bootId),
    pidNamespace: textOrNull(pidNamespace),
  }
}

/**
 * `alive`: the owner runs. `gone`: it has ended. `unknown`: it ran in another container or on another machine,
 * where its pid cannot be looked up; LevelDB's own lock has the last word then.
 */
export type OwnerState = 'alive' | 'gone' | 'unknown'

export function ownerState(owner: LockOwner): OwnerState {
  const here = currentOwner('')
  if (owner.host === here.host && owner.bootId !== here.bootId) return 'gone'
  if (owner.host !== here.host || owner.pidNamespace !== here.pidNamespace) return 'unknown'
  if (!isRunning(owner.pid)) return 'gone'
  // Pids are used again, above all in containers, where a server tends to be number 1 each time.
  const start = processStart(owner.pid)
  return start === null || owner.processStart === null || start === owner.processStart
    ? 'alive'
    : 'gone'
}

function isRunning(pid: number): boolean {
  // A killed process whose parent has not asked for its fate holds nothing, but still takes signals.
  if (processStat(pid)?.[0] === 'Z') return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function processStart(pid: number): string | null {
  return processStat(pid)?.[19] ?? null
}

/** The fields of /proc/<pid>/stat from the third (state) on. The second, a name, may hold spaces and parentheses. */
function processStat(pid: number): readonly string[] | null {
  const stat = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? null
}

function bootId(): string | null {
  return readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
}

function pidNamespace(): string | null {
  return readOrNull(() => readlinkSync('/proc/self/ns/pid'))
}

function readOrNull(read: () => string): string | null {
  try {
    return read()
  } catch {
    return null
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
