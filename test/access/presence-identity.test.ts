import { expect, test } from 'vitest'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import type { RawClient } from '../support/raw-client.ts'
import { accessServer, token } from './access-scene.ts'

/** What a reader was shown of a client id last. */
function shown(reader: RawClient, clientId: number): Record<string, unknown> | null | undefined {
  return reader.awareness
    .flatMap((update) => decodePresence(update))
    .findLast((state) => state.clientId === clientId)?.state
}

const announce = (client: RawClient, document: number, state: Record<string, unknown>) =>
  client.request('awareness', document, encodePresence({ clientId: 1, clock: 1, state }))

test('T42 [PRES2] the user’s name is the server’s to say, wherever an editor keeps it', async () => {
  const { clock, connect } = await accessServer({ presenceIntervalMs: 0 })
  const ada = await connect(await token(clock, { name: 'Ada' }))
  const reader = await connect(await token(clock, { sub: 'eve', name: 'Eve' }))
  const { document } = await ada.join('draft', { clientId: 1 })
  await reader.join('draft', { clientId: 2 })
  await announce(ada, document, {
    name: 'Eve',
    user: { name: 'Eve', color: 'red' },
    data: { name: 'Eve', x: 1 },
    cursor: 7,
  })
  clock.advance(100)
  await reader.until(() => shown(reader, 1) !== undefined)
  expect(shown(reader, 1)).toEqual({
    name: 'Ada',
    user: { name: 'Ada', color: 'red' },
    data: { name: 'Ada', x: 1 },
    cursor: 7,
  })
})

test('T42 T53 [PRES13] a name that a new token changes is shown at once, in every document and to newcomers', async () => {
  const { clock, connect } = await accessServer({ presenceIntervalMs: 0 })
  const ada = await connect(await token(clock, { name: 'Ada' }))
  const reader = await connect(await token(clock, { sub: 'eve', name: 'Eve' }))
  for (const name of ['draft', 'other']) {
    const { document } = await ada.join(name, { clientId: 1 })
    await reader.join(name, { clientId: 2 })
    await announce(ada, document, { user: { name: 'x', color: 'red' }, cursor: 7 })
    clock.advance(100)
    await reader.until(() => shown(reader, 1) !== undefined)
    expect(shown(reader, 1)).toEqual({ user: { name: 'Ada', color: 'red' }, cursor: 7 })
    reader.awareness.length = 0
  }
  expect(await ada.token(await token(clock, { name: 'Ada Lovelace' }))).toMatchObject({ ok: true })
  clock.advance(100)
  await reader.until(() => reader.awareness.length === 2)
  const renamed = { user: { name: 'Ada Lovelace', color: 'red' }, cursor: 7 }
  expect(reader.awareness.map((update) => decodePresence(update)[0]?.state)).toEqual([
    renamed,
    renamed,
  ])
  const newcomer = await connect(await token(clock, { sub: 'bob', name: 'Bob' }))
  const { awareness } = await newcomer.join('draft', { clientId: 3 })
  expect(decodePresence(new Uint8Array(awareness!))).toMatchObject([
    { clientId: 1, state: renamed },
  ])
  // The same name again, or a refused token, is no news.
  reader.awareness.length = 0
  await ada.token(await token(clock, { name: 'Ada Lovelace' }))
  await ada.token(await token(clock, { name: 'Somebody', exp: 1 }))
  await announce(ada, (await ada.join('draft', { clientId: 1 })).document, { cursor: 8 })
  clock.advance(100)
  await reader.until(() => reader.awareness.length > 0)
  expect(reader.awareness.flatMap((update) => decodePresence(update))).toMatchObject([
    { clientId: 1, state: { user: { name: 'Ada Lovelace' }, cursor: 8 } },
  ])
})

test('T42 [PRES13] somebody who announced nothing is not announced by a new token', async () => {
  const { clock, connect } = await accessServer({ presenceIntervalMs: 0 })
  const ada = await connect(await token(clock, { name: 'Ada' }))
  await ada.join('draft', { clientId: 1 })
  await ada.token(await token(clock, { name: 'Ada Lovelace' }))
  clock.advance(100)
  const reader = await connect(await token(clock, { sub: 'eve' }))
  expect((await reader.join('draft', { clientId: 2 })).awareness).toBeUndefined()
})
