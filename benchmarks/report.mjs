import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

export const median = (values) => quantile(values, 0.5)

export function printMachine() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const { length: cores, 0: cpu } = cpus()
  console.log(
    `${cores} cores (${cpu?.model ?? 'unknown'}), Node ${process.version}, ${process.platform}, ` +
      `commit ${commit}, ${new Date().toISOString().slice(0, 10)}\n`,
  )
}

/** Rows of objects as a Markdown table. */
export function printTable(rows) {
  const columns = Object.keys(rows[0])
  console.log(`| ${columns.join(' | ')} |\n| ${columns.map(() => '---').join(' | ')} |`)
  for (const row of rows) console.log(`| ${columns.map((name) => row[name]).join(' | ')} |`)
  console.log()
}
