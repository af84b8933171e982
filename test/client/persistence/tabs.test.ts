import { expect, test, vi } from 'vitest'
import { ScriptedTabs } from '../scripted-tabs.ts'
import { freshDevice, rowsOf, textOf, visit, type Visit } from './device.ts'
import { eventually } from '../../support/patience.ts'

freshDevice()

/** Pages of one browser, without a server. */
async function openPages(tabs: ScriptedTabs, count: number, database?: string): Promise<Visit[]> {
  const options = database === undefined ? {} : { database }
  const pages = Array.from({ length: count }, () => visit({ tabs: tabs.open, ...options }))
  await Promise.all(pages.map(({ provider }) => provider.whenLocalSynced))
  tabs.deliver()
  return pages
}

/** Until the page has stored what it was to store, and the others know. */
async function storedBy(page: Visit | undefined, tabs: ScriptedTabs): Promise<void> {
  await eventually(() => expect(page?.persistence.isOwnStored).toBe(true))
  tabs.deliver()
}

test('[TAB12] what one of four tabs types is stored once, and all of them say so', async () => {
  const tabs = new ScriptedTabs()
  const pages = await openPages(tabs, 4)
  const [writer] = pages
  for (const letter of 'abc') {
    writer?.type(letter)
    tabs.deliver()
    for (const { provider } of pages) expect(provider.saveState).toBe('unsaved')
    await storedBy(writer, tabs)
    for (const { provider } of pages) expect(provider.saveState).toBe('saved-locally')
  }
  const { rows, pending } = await rowsOf('draft')
  expect([rows.length, [...pending.values()]]).toEqual([3, [1, 1, 1]])
  for (const page of pages) page.clock.advance(10_000)
  for (const page of pages) await page.leave()
  expect((await rowsOf('draft')).rows).toHaveLength(3)
  expect(await textOf('draft')).toBe('abc')
})

test('[TAB12] T67 a tab that cannot store, or says no more, is not relied on: the others store its change', async () => {
  const tabs = new ScriptedTabs()
  const [left, right] = await openPages(tabs, 2)
  left?.type('a')
  tabs.deliver()
  // It has stored it, but is frozen before it can say so.
  await eventually(() => expect(left?.persistence.isOwnStored).toBe(true))
  tabs.lose()
  expect(right?.provider.saveState).toBe('unsaved')
  right?.clock.advance(2000)
  await right?.stored()
  expect(right?.provider.saveState).toBe('saved-locally')
  expect((await rowsOf('draft')).pending.size).toBe(2)
})

test('[TAB12] a tab that ends while it relies on another stores the change before', async () => {
  const tabs = new ScriptedTabs()
  const [left, right] = await openPages(tabs, 2)
  vi.spyOn(left!.persistence, 'isOwnStored', 'get').mockReturnValue(false)
  left?.type('a')
  tabs.deliver()
  await right?.leave()
  expect((await rowsOf('draft')).pending.size).toBe(2)
})

test('[TAB12] an edit on top of one that is not stored yet is stored with it', async () => {
  const tabs = new ScriptedTabs()
  const [left, right] = await openPages(tabs, 2)
  vi.spyOn(left!.persistence, 'isOwnStored', 'get').mockReturnValue(false)
  left?.type('a')
  tabs.deliver()
  right?.type('b')
  await right?.stored()
  const { rows } = await rowsOf('draft')
  expect(rows).toHaveLength(2)
  expect(await textOf('draft')).toBe('ab')
  // Each row stands by itself: whichever is lost, the other can be read.
  expect(right?.provider.saveState).toBe('saved-locally')
})

test('[TAB12] [LOCAL7] a copy that is deleted under tabs that relied on each other is claimed by none', async () => {
  const tabs = new ScriptedTabs()
  const [left, right] = await openPages(tabs, 2)
  left?.type('a')
  tabs.deliver()
  await storedBy(left, tabs)
  expect(right?.provider.saveState).toBe('saved-locally')
  await new Promise<void>((resolve) => {
    indexedDB.deleteDatabase('draft').onsuccess = () => resolve()
  })
  for (const page of [left, right]) expect(page?.provider.saveState).toBe('unsaved')
  right?.type('b')
  await right?.stored()
  expect(await textOf('draft')).toBe('ab')
})

test('[TAB12] tabs with databases of their own each store everything', async () => {
  const tabs = new ScriptedTabs()
  const [left] = await openPages(tabs, 1, 'one')
  const [right] = await openPages(tabs, 1, 'two')
  left?.type('a')
  tabs.deliver()
  await right?.stored()
  await left?.stored()
  for (const database of ['one', 'two']) {
    expect(await textOf(database)).toBe('a')
    expect((await rowsOf(database)).pending.size).toBe(1)
  }
})

test('[TAB12] [LOCAL4] a tab that opens reads the disk before it asks others, and stores nothing again', async () => {
  const tabs = new ScriptedTabs()
  const [writer] = await openPages(tabs, 1)
  writer?.type('text')
  await storedBy(writer, tabs)
  const late = visit({ tabs: tabs.open })
  tabs.deliver()
  expect(late.text()).toBe('')
  await late.provider.whenLocalSynced
  tabs.deliver()
  expect(late.text()).toBe('text')
  await late.leave()
  expect((await rowsOf('draft')).rows).toHaveLength(1)
})
