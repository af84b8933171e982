import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const BIN = fileURLToPath(new URL('../../dist/src/bin.cjs', import.meta.url))

const LISTENING = /^y-rooms listening on (http:\/\/\S+) \(data in (.+)\)\n$/

/** A run of the command line program as a user would start it; ended with the test. */
export class CliProcess {
  readonly process: ChildProcess
  readonly #exit: Promise<number | NodeJS.Signals>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    if (!existsSync(BIN)) throw new Error(`${BIN} is not built; run npm test`)
    // Only what is given: the machine's own PORT or HOST must not decide a test.
    const env = { PATH: process.env['PATH'] ?? '', ...environment }
    this.process = spawn(process.execPath, [BIN, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.on('data', (text: Buffer) => (this.stdout += text.toString()))
    this.process.stderr?.on('data', (text: Buffer) => (this.stderr += text.toString()))
    // `close` comes after the last output, `exit` may come before it.
    this.#exit = once(this.process, 'close').then(([code, signal]) => code ?? signal)
    onTestFinished(async () => {
      this.process.kill('SIGKILL')
      await this.#exit
    })
  }

  /** The exit code, or the signal that ended it. */
  whenExited(): Promise<number | NodeJS.Signals> {
    return this.#exit
  }

  /** The URL of the one line that it prints once it accepts connections. */
  async whenListening(): Promise<string> {
    while (!this.stdout.includes('\n')) {
      const output = once(this.process.stdout ?? this.process, 'data')
      const ended = this.#exit.then((exit) => {
        throw new Error(`it ended with ${exit} before it listened: ${this.stderr}`)
      })
      await Promise.race([output, ended])
    }
    const url = LISTENING.exec(this.stdout)?.[1]
    if (url === undefined) throw new Error(`not the listening line: ${this.stdout}`)
    return url
  }
}

/** Runs the program to its end. */
export async function runToEnd(
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<{ exit: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const cli = new CliProcess(args, environment)
  const exit = await cli.whenExited()
  return { exit, stdout: cli.stdout, stderr: cli.stderr }
}

/** An empty directory that lives as long as the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'y-rooms-cli-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
