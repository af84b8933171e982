// `npm run bench -- F --n 200 --runs 3`: one scenario, the peers and y-rooms in turns. `npm run bench` lists the scenarios.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pinDriver, startServer } from './load/server.mjs'
import { median, printMachine, printTable } from './report.mjs'

/** Shares of this machine's cores that the host gave to others, beyond which a run is made again. */
const MAX_STOLEN_SHARE = 0.08

const SCENARIOS = {
  F: 'crowd',
  J: 'joining',
  O: 'observers',
  M: 'documents',
  I: 'memory',
  S: 'storage',
  D: 'death',
  L: 'large',
  R: 'returning',
  G: 'growth',
}

const [letter = '', ...rest] = process.argv.slice(2)
const file = SCENARIOS[letter.toUpperCase()]
if (file === undefined) {
  console.log(
    `npm run bench -- <scenario> [--runs 3] [--servers a,b] [--smoke] [--json file] [--beside '{"relayIntervalMs":0}']\n`,
  )
  for (const [key, name] of Object.entries(SCENARIOS)) {
    const { title, options } = await import(`./scenarios/${name}.mjs`)
    console.log(`${key}: ${title.replace(/^\w+ +/, '')}`)
    for (const [option, { default: value, note }] of Object.entries(options))
      console.log(`     --${option} ${value}   ${note}`)
  }
  process.exit(letter === '' ? 0 : 2)
}

const scenario = await import(`./scenarios/${file}.mjs`)
const { values } = parseArgs({
  args: rest,
  options: {
    runs: { type: 'string', default: '1' },
    servers: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    /** Attempts to get a run that the host did not disturb. */
    attempts: { type: 'string', default: '4' },
    /** Options of the y-rooms server as JSON. */
    options: { type: 'string', default: '{}' },
    /** The same for one more y-rooms server, which takes its turn too: what an option trades. */
    beside: { type: 'string', multiple: true, default: [] },
    'cpu-prof': { type: 'string' },
    ...Object.fromEntries(
      Object.entries(scenario.options).map(([name, option]) => [
        name,
        { type: 'string', default: option.default },
      ]),
    ),
  },
})
if (values.smoke) Object.assign(values, scenario.smoke)
const names = [...(values.servers?.split(',') ?? scenario.servers), ...values.beside]

pinDriver()
printMachine()
console.log(`${scenario.title}\n`)
const results = new Map(names.map((name) => [name, []]))
for (let run = 1; run <= Number(values.runs); run++)
  for (const name of names) results.get(name).push(await measureUndisturbed(name, run))

const medians = new Map([...results].map(([name, runs]) => [name, mediansOf(runs)]))
const base = medians.get('y-rooms')
/** Some have figures for an option only. */
const columns = Object.entries(scenario.columns).filter(([, show]) =>
  [...medians.values()].some((result) => show(result) !== ''),
)
console.log()
printTable(
  [...medians].map(([name, result]) => ({
    server: name,
    ...Object.fromEntries(columns.map(([column, show]) => [column, show(result)])),
    ...Object.fromEntries(
      Object.entries(scenario.ratios).map(([label, key]) => [
        `y-rooms / it: ${label}`,
        name === 'y-rooms' ? '' : ratio(base, result, key),
      ]),
    ),
  })),
)
if (values.json !== undefined) {
  const report = { scenario: letter.toUpperCase(), values, results: Object.fromEntries(results) }
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
const wrong = [...results].flatMap(([name, runs]) =>
  runs.filter((result) => isWrong(name, result)).map(() => name),
)
if (wrong.length > 0) {
  console.error(`what arrived is not what was sent: ${wrong.join(', ')}`)
  process.exitCode = 1
}

/** Of the same number of both, or of [ours, theirs]. Not every server has every number. */
function ratio(base, result, key) {
  const [ourKey, theirKey] = Array.isArray(key) ? key : [key, key]
  const [ours, theirs] = [base?.[ourKey], result[theirKey]]
  return ours === undefined || theirs === undefined ? '' : (ours / theirs).toFixed(2)
}

/** A server that is overloaded may be late; y-rooms in a smoke run is not. */
function isWrong(name, { isTextRight, undelivered = 0 }) {
  return isTextRight === false || (values.smoke && name === 'y-rooms' && undelivered > 0)
}

/** A machine that is shared gives its cores away now and then; such a run is made again, and the calmest one counts. */
async function measureUndisturbed(name, run) {
  let calmest = null
  for (let attempt = 0; attempt < Number(values.attempts); attempt++) {
    const result = await measure(name, run)
    if (calmest === null || !(result.stolenShare >= calmest.stolenShare)) calmest = result
    if (values.smoke || !(result.stolenShare > MAX_STOLEN_SHARE)) break
  }
  return calmest
}

async function measure(label, run) {
  const directory = await mkdtemp(join(tmpdir(), 'y-rooms-bench-'))
  const isBeside = values.beside.includes(label)
  const name = isBeside ? 'y-rooms' : label
  const nodeArguments = values['cpu-prof'] === undefined ? [] : profileFlags(name)
  const servers = []
  const options = {
    ...(name === 'y-rooms' ? JSON.parse(values.options) : {}),
    ...(isBeside ? JSON.parse(label) : {}),
  }
  /** Scenarios restart servers, on the same storage or another one; whatever is started is closed at the end. */
  const start = async ({ storage = '.', options: own = {} } = {}) => {
    const place = join(directory, storage)
    await mkdir(place, { recursive: true })
    const server = await startServer(name, {
      directory: place,
      nodeArguments,
      options: { ...options, ...own },
    })
    servers.push(server)
    return server
  }
  try {
    const server = await start()
    const result = await scenario.run({ server, start, directory, name, values })
    const shown = Object.entries(scenario.columns)
      .map(([column, show]) => [column, show(result)])
      .filter(([, text]) => text !== '')
      .map(([column, text]) => `${column} ${text}`)
    console.log(
      `run ${run}  ${label.padEnd(16)} ${shown.join('  ')}  (driver ${percent(result.driverShare)}, stolen ${percent(result.stolenShare)})`,
    )
    return result
  } finally {
    for (const server of servers) if (server.isRunning()) await server.close()
    await rm(directory, { recursive: true, force: true })
  }
}

function profileFlags(name) {
  return ['--cpu-prof', '--cpu-prof-dir', join(values['cpu-prof'], name)]
}

function percent(share) {
  return share === undefined ? '?' : `${(share * 100).toFixed(0)} %`
}

function mediansOf(runs) {
  return Object.fromEntries(
    Object.keys(runs[0]).map((key) => [
      key,
      typeof runs[0][key] === 'number' ? median(runs.map((run) => run[key])) : runs[0][key],
    ]),
  )
}
