// `node benchmarks/charts.mjs`: the charts of docs/benchmarks.md, made of what `npm run bench -- … --json docs/benchmarks/….json` wrote.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median } from './report.mjs'

const folder = fileURLToPath(new URL('../docs/benchmarks/', import.meta.url))

/** One chart each: the file of results, what is shown of it, and how. Less is better in all. */
const CHARTS = [
  {
    file: 'crowd-200',
    key: 'cpuShare',
    factor: 100,
    unit: '%',
    title: '200 editors in one document: processor time of the server',
  },
  {
    file: 'joining',
    key: 'allCpuMs',
    factor: 1,
    unit: 'ms',
    title: '300 join a 245 KB document at once: processor time',
  },
  {
    file: 'joining',
    key: 'coldMs',
    factor: 1,
    unit: 'ms',
    title: 'First join after a start: until the content is there',
    name: 'cold',
  },
]

const WIDTH = 640
const ROW = 30
const LABEL = 150
const TOP = 44

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

function chart({ title, unit }, rows) {
  const largest = Math.max(...rows.map(({ value }) => value))
  const height = TOP + rows.length * ROW + 10
  const bars = rows.map(({ name, value }, index) => {
    const y = TOP + index * ROW
    const width = Math.max(2, (value / largest) * (WIDTH - LABEL - 110))
    const shown = `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`
    const kind = name === 'y-rooms' ? 'own' : 'peer'
    return (
      `<text class="name" x="${LABEL - 10}" y="${y + 17}" text-anchor="end">${escape(name)}</text>` +
      `<rect class="${kind}" x="${LABEL}" y="${y + 3}" width="${width.toFixed(1)}" height="20" rx="3"/>` +
      `<text class="value" x="${(LABEL + width + 8).toFixed(1)}" y="${y + 17}">${shown}</text>`
    )
  })
  const style =
    'text{font:13px system-ui,sans-serif;fill:#1f2937}.title{font-weight:600;font-size:15px}' +
    '.own{fill:#2563eb}.peer{fill:#9ca3af}' +
    '@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.own{fill:#60a5fa}.peer{fill:#6b7280}}'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}"><style>${style}</style><text class="title" x="10" y="24">${escape(title)}</text>${bars.join('')}</svg>\n`
}

for (const entry of CHARTS) {
  const { results } = JSON.parse(readFileSync(`${folder}${entry.file}.json`, 'utf8'))
  const rows = Object.entries(results)
    .map(([name, runs]) => ({
      name,
      value: median(runs.map((run) => run[entry.key])) * entry.factor,
    }))
    .filter(({ value }) => Number.isFinite(value))
  const name = entry.name === undefined ? entry.file : `${entry.file}-${entry.name}`
  writeFileSync(`${folder}${name}.svg`, chart(entry, rows))
  console.log(`docs/benchmarks/${name}.svg`)
}
