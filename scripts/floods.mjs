// `npm run floods -- [--seconds N] [attack…]`: strangers flood a server while two people write to each other. For each attack: the
// server's memory as the operating system counts it, and how long its neighbours waited, before, during and after.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Neighbours } from '../test/floods/neighbours.mjs'
import { root } from './build.mjs'

const ATTACKS = ['connects', 'connects-spread', 'namespaces', 'readers', 'updates', 'refused', 'presence', 'loris', 'requests'] // prettier-ignore
const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, json: { type: 'boolean' } },
  allowPositionals: true,
})
const CALM_MS = 5000
const FLOOD_MS = Number(values.seconds) * 1000
/** After a flood: what was its is given back, as far as it is. */
const RECOVERY_MS = 3000
/** Ten thousand connections take a while on a busy machine; what is there by then counts. */
const MAX_SETTING_UP_MS = 120_000
const MIB = 1024 * 1024

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Field of /proc/<pid>/status in MiB. */
function memory(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) * 1024) / MIB
}

/** Processor time of a process in seconds. */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  // utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function startServer(directory) {
  const args = [join(root, 'dist/src/bin.cjs'), 'serve', '--port', '0', '--data', directory, '--no-examples'] // prettier-ignore
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise((resolve, reject) => {
    server.stdout.once('data', (data) => resolve(String(data)))
    server.once('exit', () => reject(new Error('the server did not start')))
  })
  return { server, url: /http:\S+/.exec(line)[0] }
}

async function play(attack) {
  const directory = mkdtempSync(join(tmpdir(), 'y-rooms-flood-'))
  const { server, url } = await startServer(directory)
  const neighbours = await Neighbours.connect(url)
  neighbours.start()
  await pause(CALM_MS / 2)
  neighbours.take()
  await pause(CALM_MS)
  const before = { ...neighbours.take(), mib: memory(server.pid, 'VmRSS') }
  const child = fork(join(root, 'test/floods/attacks.mjs'), [attack, url])
  const outcome = new Promise((resolve) =>
    child.on('message', (message) => message.outcome && resolve(message.outcome)),
  )
  const ready = once(child, 'message')
  const [usedBefore, begunAt] = [processorSeconds(server.pid), performance.now()]
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, memory(server.pid, 'VmRSS'))), 50)
  await Promise.race([ready, pause(MAX_SETTING_UP_MS)])
  await pause(FLOOD_MS)
  const during = { ...neighbours.take(), mib: peak }
  const busy = (processorSeconds(server.pid) - usedBefore) / ((performance.now() - begunAt) / 1000)
  clearInterval(watch)
  child.send('stop')
  const what = await outcome
  await pause(RECOVERY_MS)
  neighbours.take()
  await pause(CALM_MS)
  const after = { ...neighbours.take(), mib: memory(server.pid, 'VmRSS') }
  const isSame = server.exitCode === null && server.signalCode === null
  neighbours.close()
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
  rmSync(directory, { recursive: true })
  return { attack, what, before, during, after, busy, isSame }
}

function shown({ savedMs, seenMs, joinMs, httpMs, mib, faults }) {
  const times = ({ p50, p99, max }) => `${p50.toFixed(0)}/${p99.toFixed(0)}/${max.toFixed(0)}`
  const fault = faults.length === 0 ? '' : ` FAULTS ${faults.length}: ${faults[0]}`
  return `${mib.toFixed(0)} MiB, saved ${times(savedMs)}, seen ${times(seenMs)}, join ${times(joinMs)}, http ${times(httpMs)}${fault}`
}

for (const attack of positionals.length === 0 ? ATTACKS : positionals) {
  if (!ATTACKS.includes(attack)) throw new Error(`no attack ${attack}; there are ${ATTACKS.join(', ')}`) // prettier-ignore
  const result = await play(attack)
  if (values.json) console.log(JSON.stringify(result))
  else {
    console.log(`${attack}: ${JSON.stringify(result.what)}; server ${(result.busy * 100).toFixed(0)} % busy`) // prettier-ignore
    for (const phase of ['before', 'during', 'after'])
      console.log(`  ${phase.padEnd(6)} ${shown(result[phase])}`)
  }
  if (!result.isSame) process.exitCode = 1
}
