import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { measureBundle } from '../../scripts/bundle-size.mjs'

const README = new URL('../../README.md', import.meta.url)

test('T68 the client brings nothing of Yjs with it, and its size is what the README says', async () => {
  const { minified, compressed, imports, modules } = await measureBundle()
  expect(modules.filter((module) => module.includes('node_modules'))).toEqual([])
  expect(imports).toContain('yjs')
  const stated = /(\d+) kB minified, (\d+) kB compressed/.exec(await readFile(README, 'utf8'))
  const [statedMinified = 0, statedCompressed = 0] = stated?.slice(1).map(Number) ?? []
  // Stated in whole kilobytes; a changed line must not need a changed README.
  expect(Math.abs(statedMinified - minified / 1000)).toBeLessThan(1)
  expect(Math.abs(statedCompressed - compressed / 1000)).toBeLessThan(1)
})
