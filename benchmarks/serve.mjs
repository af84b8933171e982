// One server in a process of its own: `serve.mjs <name> <JSON of { directory, options }>`. It tells over IPC what it has cost.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { bytesWritten } from './load/disk.mjs'
import { anonymousBytes } from './load/memory.mjs'

const [, , name, json] = process.argv
const { start } = await import(`./servers/${name}.mjs`)
const server = await start(JSON.parse(json))

const DELAY_RESOLUTION_MS = 10
let delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
delay.enable()

const answers = {
  usage() {
    const { user, system } = process.cpuUsage()
    return {
      /** Processor time of all threads, as the operating system counts it. */
      cpuMs: (user + system) / 1000,
      residentBytes: process.memoryUsage.rss(),
      anonymousBytes: anonymousBytes(),
      peakBytes: process.resourceUsage().maxRSS * 1024,
      writtenBytes: bytesWritten(),
    }
  },
  /** How late the event loop was since the last question: the 99th percentile and the longest. */
  delay() {
    const late = (ns) => Math.max(0, ns / 1e6 - DELAY_RESOLUTION_MS)
    const answer = { p99Ms: late(delay.percentile(99)), maxMs: late(delay.max) }
    delay.disable()
    delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
    delay.enable()
    return answer
  },
  collectGarbage() {
    globalThis.gc?.()
  },
  writes: () => server.writes?.(),
  compact: (document) => server.compact?.(document),
  /** What it has written to disk from the first to the last, is its farewell. */
  async close() {
    await server.close()
    return bytesWritten()
  },
}

async function reply({ question, argument }) {
  const answer = await answers[question](argument)
  process.send({ answer }, () => {
    if (question === 'close') process.exit(0)
  })
}

// An operator's way to close it in order.
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
process.on('message', (message) => void reply(message))
process.send({ answer: server.port })
// The one who asked is gone.
process.on('disconnect', () => process.exit(1))
