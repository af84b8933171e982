// Which traps there are (docs/traps.md), and which tests cite them. A trap is cited by its id in a test's title.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './build.mjs'

const ID = /\bT\d+\b/g

/** Every trap of docs/traps.md, in order: its id, and whether it has to have a test. */
function readTraps() {
  const [required, later = ''] = readFileSync(join(root, 'docs/traps.md'), 'utf8').split(
    '## Not yet every one',
  )
  const idsOf = (text) => [...text.matchAll(/^- \*\*(T\d+)\*\*/gm)].map(([, id]) => id)
  return [
    ...idsOf(required).map((id) => ({ id, isRequired: true })),
    ...idsOf(later).map((id) => ({ id, isRequired: false })),
  ]
}

/**
 * Who cites what, of tests as `{ file, title }`. A test within a `describe` has the titles of both; only its own counts, and
 * only what stands before the first word that is no id: "T3 [JOIN3] as T4 says" cites T3.
 */
export function traceTraps(tests) {
  const traps = readTraps()
  const known = new Set(traps.map(({ id }) => id))
  /** @type {Map<string, { file: string, title: string }[]>} */
  const citations = new Map(traps.map(({ id }) => [id, []]))
  const unknown = []
  for (const test of tests) {
    const [ids] = /^(?:(?:T\d+|\[[A-Z]+\d+\])\s+)*/.exec(test.title)
    for (const [id] of ids.matchAll(ID))
      if (known.has(id)) citations.get(id).push(test)
      else unknown.push({ id, ...test })
  }
  const missing = traps
    .filter(({ id, isRequired }) => isRequired && citations.get(id).length === 0)
    .map(({ id }) => id)
  return { traps, citations, missing, unknown }
}
