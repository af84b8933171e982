import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import {
  stepsUnderWay,
  type ServerHears,
  type ServerSays,
  type ServerSettings,
  type Step,
} from './steps.ts'

export type Ready = Extract<ServerSays, { kind: 'ready' }>

/** How a server's process ended. */
export interface Death {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly underWay: readonly Step[]
  /** What the server logged as errors in its life. */
  readonly errors: readonly string[]
}

/** One process of the server, from its start to its end. */
export class ServerLife {
  /** Resolves when the process is gone and all that it said is here. */
  readonly ended: Promise<Death>
  readonly startedAt = performance.now()
  readonly #child: ChildProcess
  readonly #said: ServerSays[] = []
  readonly #listeners = new Set<() => void>()
  #hasEnded = false
  #isListening = false

  constructor(script: string, settings: ServerSettings) {
    this.#child = spawn(process.execPath, [script, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
      // As the command sets it: writes wait for libuv's threads.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    })
    let reports = ''
    const pipe = this.#child.stdio[3] as Readable
    pipe.setEncoding('latin1').on('data', (letters: string) => (reports += letters))
    // A killed process leaves both of these behind with an error that says no more than its end does.
    pipe.on('error', () => undefined)
    this.#child.stdin?.on('error', () => undefined)
    createInterface(this.#child.stdout as Readable).on('line', (line) => {
      this.#said.push(JSON.parse(line) as ServerSays)
      for (const listener of [...this.#listeners]) listener()
    })
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#hasEnded = true
      for (const listener of [...this.#listeners]) listener()
      const errors = this.#said.flatMap((said) => (said.kind === 'error' ? [said.message] : []))
      return { code, signal, underWay: stepsUnderWay(reports), errors } as Death
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Null: it ended before. */
  ready(): Promise<Ready | null> {
    return this.#hears('ready') as Promise<Ready | null>
  }

  /** Opens the door that the provider knows. */
  async listen(): Promise<void> {
    if (!this.#isListening) this.tell({ kind: 'listen' })
    this.#isListening = true
    await this.#hears('listening')
  }

  tell(message: ServerHears): void {
    ;(this.#child.stdin as Writable).write(`${JSON.stringify(message)}\n`)
  }

  signal(name: 'SIGKILL' | 'SIGTERM'): void {
    this.#child.kill(name)
  }

  #hears(kind: ServerSays['kind']): Promise<ServerSays | null> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#said.find((said) => said.kind === kind)
        if (found === undefined && !this.#hasEnded) return
        this.#listeners.delete(look)
        resolve(found ?? null)
      }
      this.#listeners.add(look)
      look()
    })
  }
}
