import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { IndexedDBPersistence, type ProviderOptions } from '../../../client/index.ts'
import { scene, type Scene } from '../scene.ts'
import { joined } from '../scripted-network.ts'
import { freshDevice, visit } from './device.ts'
import { eventually } from '../../support/patience.ts'

freshDevice()

const persistence: ProviderOptions['persistence'] = (name, doc) =>
  new IndexedDBPersistence(name, doc)

test('[SYNC3] a provider that ends before its copy is read keeps nobody waiting', async () => {
  const { provider } = scene({ persistence })
  const { whenLocalSynced, whenLoaded } = provider
  provider.destroy()
  await expect(whenLocalSynced).rejects.toMatchObject({ code: 'destroyed' })
  await expect(whenLoaded).rejects.toMatchObject({ code: 'destroyed' })
  // Also when the copy itself goes on, since it was given.
  const given = visit()
  const whenGiven = given.provider.whenLocalSynced
  given.provider.destroy()
  await expect(whenGiven).rejects.toMatchObject({ code: 'destroyed' })
})

test('whenLoaded: a server that refuses for good keeps nobody from seeing what is on the device', async () => {
  const first = visit()
  first.type('kept')
  await first.stored()
  await first.leave()
  const second = visit({ waitForPersistence: false })
  second.network.wire.open()
  second.network.wire.take('join').refuse('forbidden')
  expect(await second.provider.whenLoaded).toBe(second.provider)
  expect(second.text()).toBe('kept')
})

/** A page that was online, went offline, typed, and learns on return that the document has begun anew. */
async function learnOfReset(): Promise<Scene & { readonly resets: Uint8Array[] }> {
  const here = scene({ persistence })
  const resets: Uint8Array[] = []
  here.provider.on('document-reset', ({ update }) => resets.push(update ?? new Uint8Array()))
  here.provider.on('reload', () => undefined)
  await here.provider.whenLocalSynced
  here.join().break()
  here.clock.advance(40_000)
  here.type('before ')
  here.wire.open()
  here.wire.take('join').refuse('document-reset')
  return Object.assign(here, { resets })
}

test('T15 [SYNC8] what is typed while the old copy is being set aside is handed over too', async () => {
  const { type, resets } = await learnOfReset()
  type('meanwhile')
  await eventually(() => expect(resets).toHaveLength(1))
  const handed = new Y.Doc()
  Y.applyUpdate(handed, resets[0] as Uint8Array)
  expect(handed.getText('body').toJSON()).toBe('before meanwhile')
})

test('T15 [SYNC8] whoever disconnects and connects meanwhile gets one new document, in sync', async () => {
  const here = await learnOfReset()
  const { provider, network, clock, resets } = here
  const whenSaved = provider.whenSaved()
  provider.disconnect()
  provider.connect()
  clock.endTurn()
  await expect(whenSaved).rejects.toMatchObject({ code: 'document-reset' })
  await eventually(() => expect(resets).toHaveLength(1))
  await provider.whenLocalSynced
  clock.endTurn()
  expect(network.wire.state).toBe('opening')
  network.wire.open()
  await eventually(() => network.wire.take('join').answer(joined({ epoch: 'epoch-2' })))
  expect([provider.synced, resets.length]).toEqual([true, 1])
  const copy = provider.persistence as IndexedDBPersistence
  expect(await copy.asideCopies()).toHaveLength(1)
})
