import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES } from 'y-rooms/protocol'
import { createDocumentServer, memoryStorage } from 'y-rooms/server'
import { NUMBER_OPTIONS } from '../../src/number-options.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

function filesBelow(directory: string, suffix: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(suffix))
    .map((file) => join(directory, file))
}

/** Rows of the Markdown tables of a page, as cells. */
function rows(page: string): string[][] {
  return read(page)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
}

describe('the documentation', () => {
  test('SPEC.md and the tests agree: every rule is cited, and no test cites a rule that is not there', () => {
    const ids = [...read('SPEC.md').matchAll(/^- \*\*([A-Z]+\d+)\*\*/gm)].map(([, id]) => id!)
    const rules = new Set(ids)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
    expect(rules.size).toBeGreaterThan(40)
    const cited = new Set<string>()
    // Titles are strings; the storage contract keeps its own in the source, because it is exported.
    const titles = [...filesBelow('test', '.ts'), ...filesBelow('src/storage', '.ts')].filter(
      (file) => file.startsWith('test') || file.includes('storage-contract'),
    )
    for (const file of titles)
      for (const [title] of read(file).matchAll(/(['"`])(?:(?!\1).)*\[[A-Z]+\d+\](?:(?!\1).)*\1/g))
        for (const [, id] of title.matchAll(/\[([A-Z]+\d+)\]/g)) cited.add(id!)
    expect([...rules].filter((id) => !cited.has(id)).sort()).toEqual([])
    expect([...cited].filter((id) => !rules.has(id)).sort()).toEqual([])
  })

  test('the mutation check fits the code: every text that it replaces is there exactly once', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts/mutation-check.mjs'), '--texts'],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([0, ''])
  })

  test('[ERR1] docs/errors.md has exactly the codes of the protocol, with their retry class', () => {
    const documented = Object.fromEntries(
      rows('docs/errors.md').map(([code, retry]) => [code!, retry!]),
    )
    expect(documented).toEqual(ERROR_CODES)
  })

  test('[OPT1] docs/options.md has exactly the numbers of the code: default, range, unit, effect', () => {
    const documented = Object.fromEntries(
      rows('docs/options.md')
        .filter((row) => row.length === 5)
        .map(([name, fallback, range, unit, effect]) => [name!, { fallback, range, unit, effect }]),
    )
    const actual = Object.fromEntries(
      Object.entries(NUMBER_OPTIONS).map(([name, rule]) => [
        name,
        {
          fallback: String(rule.default),
          range: `${rule.min} to ${rule.max}`,
          unit: rule.unit,
          effect: rule.effect.replaceAll('`', ''),
        },
      ]),
    )
    expect(documented).toEqual(actual)
  })

  test('[OPT1] a bad option stops the start with its name, its value and what is allowed', () => {
    const storage = memoryStorage()
    for (const [name, rule] of Object.entries(NUMBER_OPTIONS))
      for (const value of [rule.min - 1, rule.max + 1, NaN, 'text'])
        expect(() => createDocumentServer({ storage, [name]: value })).toThrow(
          `option ${name} is ${value}; allowed are ${rule.min} to ${rule.max} ${rule.unit}`,
        )
    expect(() => createDocumentServer({ storage, relayInterval: 3 } as never)).toThrow(
      'unknown option relayInterval',
    )
    expect(() => createDocumentServer({} as never)).toThrow('option storage is missing')
  })

  test('every relative link in a page leads somewhere', () => {
    const broken: string[] = []
    for (const page of [
      'README.md',
      'DESIGN.md',
      'SPEC.md',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      'SECURITY.md',
      ...filesBelow('docs', '.md'),
    ])
      for (const [, target] of read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        try {
          readFileSync(join(root, page, '..', target!))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EISDIR') broken.push(`${page}: ${target}`)
        }
      }
    expect(broken).toEqual([])
  })
})
