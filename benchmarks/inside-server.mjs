// A document server in a process of its own, which tells over IPC what it has cost.
import { createServer } from 'node:http'
import { Session } from 'node:inspector/promises'
import { createDocumentServer, levelStorage } from './product.mjs'

const { directory, options } = JSON.parse(process.argv[2])
const documents = createDocumentServer({
  storage: levelStorage(directory),
  logger: { debug() {}, info() {}, warn: console.warn, error: console.error },
  ...options,
})
const http = createServer()
documents.attach(http)
await documents.ready()
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
const inspector = new Session()
inspector.connect()

/** Files whose work is CRDT work: decoding, checking or merging updates. */
const CRDT_FILES =
  /yjs[/].*[.][cm]?js$|merge-updates[.]js$|update-scan[.]js$|src[/]log[/]fold.*[.]js$/
/** The door to the worker threads. */
const WORKER_FILES = /document-worker[.]js$/

/** Calls since the last question, by file and function: counted by V8, not sampled. */
async function takeCalls() {
  const { result } = await inspector.post('Profiler.takePreciseCoverage')
  const calls = {}
  for (const { url, functions } of result) {
    if (!CRDT_FILES.test(url) && !WORKER_FILES.test(url)) continue
    for (const { functionName, ranges } of functions)
      if (functionName !== '' && ranges[0].count > 0)
        calls[`${url.split('/').at(-1)} ${functionName}`] = ranges[0].count
  }
  return calls
}

const answers = {
  /** Processor time of all threads in microseconds, as the operating system counts it. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  async startCounting() {
    await inspector.post('Profiler.enable')
    await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
    await takeCalls()
  },
  takeCalls,
  memory: () => process.memoryUsage().rss,
  compact: (name) => documents.compact(name),
  async close() {
    await documents.close()
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  },
}
const reply = async ({ question, argument }) => {
  const answer = await answers[question](argument)
  process.send({ answer }, () => {
    if (question === 'close') process.disconnect()
  })
}
process.on('message', (message) => void reply(message))
process.send({ answer: http.address().port })
