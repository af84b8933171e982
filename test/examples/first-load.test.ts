import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const built = `${repository}dist/examples`

interface Chunk {
  readonly file: string
  readonly imports?: readonly string[]
  readonly css?: readonly string[]
}

/** Kilobytes that a browser gets before the app is there, compressed: the page, and all that its parts import. */
function firstLoadKilobytes(page: string, ...parts: readonly string[]): number {
  const manifest = JSON.parse(readFileSync(`${built}/.vite/manifest.json`, 'utf8')) as Record<
    string,
    Chunk
  >
  const files = new Set([page])
  const visit = (key: string): void => {
    const chunk = manifest[key]
    if (chunk === undefined) throw new Error(`${key} was not built`)
    if (files.has(chunk.file)) return
    files.add(chunk.file)
    for (const file of chunk.css ?? []) files.add(file)
    for (const imported of chunk.imports ?? []) visit(imported)
  }
  for (const part of [page, ...parts]) visit(part)
  const bytes = [...files].reduce(
    (sum, file) => sum + gzipSync(readFileSync(`${built}/${file}`)).length,
    0,
  )
  return bytes / 1000
}

/** A tenth is what bundlers and compressors differ by from one version to the next. */
function expectAbout(measured: number, stated: number): void {
  expect(measured, `${measured.toFixed(0)} kB`).toBeGreaterThan(stated * 0.9)
  expect(measured, `${measured.toFixed(0)} kB`).toBeLessThan(stated * 1.1)
}

// `npm test` builds the examples.
describe.skipIf(!existsSync(`${built}/.vite/manifest.json`))(
  'the first load, as the READMEs state it',
  () => {
    const gallery = readFileSync(`${repository}examples/apps/editors/README.md`, 'utf8')
    const rows = [...gallery.matchAll(/^\| \[(\w+)\].*\| +(\d+) kB +\|$/gm)]

    test('the gallery states one for every page that it has', () => {
      const folders = readdirSync(`${repository}examples/apps/editors`, { withFileTypes: true })
      const pages = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name)
      expect(rows.map(([, page = '']) => page).sort()).toEqual(pages.sort())
    })

    test.each(rows.map(([, page, kilobytes]) => [page, Number(kilobytes)] as const))(
      'editors/%s',
      (page, stated) => {
        expectAbout(firstLoadKilobytes(`editors/${page}/index.html`), stated)
      },
    )

    test.each([
      ['rich-text', firstLoadKilobytes.bind(null, 'rich-text/index.html')],
      ['notes', firstLoadKilobytes.bind(null, 'notes/index.html')],
      [
        'whiteboard',
        firstLoadKilobytes.bind(null, 'whiteboard/index.html', 'whiteboard/whiteboard.tsx'),
      ],
    ])('%s', (app, measure) => {
      const readme = readFileSync(`${repository}examples/apps/${app}/README.md`, 'utf8')
      const stated = Number(/First load: (\d+) kB/.exec(readme)?.[1])
      expectAbout(measure(), stated)
    })
  },
)
