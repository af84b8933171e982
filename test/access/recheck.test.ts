import { expect, test } from 'vitest'
import type { Access, Authorize } from 'y-rooms/server'
import type { Refusal } from 'y-rooms/protocol'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import { accessServer, token, writing } from './access-scene.ts'

const code = (answer: unknown): string | undefined => (answer as Partial<Refusal>).code

/** A server whose permissions a test writes down: `user document` → access, and what answers in their place. */
async function permissions() {
  const granted = new Map<string, Access>()
  let answer: Authorize = (user, name) => granted.get(`${user?.id} ${name}`) ?? 'write'
  const server = await accessServer({ authorize: (user, name) => answer(user, name) })
  const as = async (sub: string) => server.connect(await token(server.clock, { sub }))
  return { ...server, granted, as, setAuthorize: (next: Authorize) => (answer = next) }
}

test('T51 T52 [ACC3] downgrade and upgrade reach the open session; its presence stays', async () => {
  const { documents, granted, as, clock } = await permissions()
  const [ada, bob] = [await as('ada'), await as('bob')]
  const { document } = await ada.join('draft', { clientId: 1 })
  const other = await ada.join('other', { clientId: 1 })
  const bobs = await bob.join('draft', { clientId: 2 })

  granted.set('ada draft', 'read')
  await documents.recheck({ user: 'ada', document: 'draft' })
  // The event is on its way before the promise resolves, so it comes before this answer.
  expect(code(await ada.update(document, writing('x')))).toBe('read-only')
  expect(ada.access).toEqual([{ access: 'read', code: 'access-changed' }])
  expect(await ada.update(other.document, writing('x'))).toMatchObject({ ok: true })
  expect(await bob.update(bobs.document, writing('x'))).toMatchObject({ ok: true })
  expect(bob.access).toEqual([])

  // A viewer is seen, and sees.
  const present = encodePresence({ clientId: 1, clock: 1, state: { at: 'here' } })
  expect(await ada.request('awareness', document, present)).toEqual({ ok: true })
  clock.advance(50)
  await bob.until(() =>
    bob.awareness.flatMap(decodePresence).some(({ clientId }) => clientId === 1),
  )

  granted.set('ada draft', 'write')
  await documents.recheck({ document: 'draft' })
  expect(await ada.update(document, writing('y'))).toMatchObject({ ok: true })
  expect(ada.access.at(-1)).toEqual({ access: 'write', code: 'access-changed' })
  expect(ada.closed).toEqual([])
})

test('T52 [ACC3] who loses all access is told why, hears nothing more, and is shown no longer', async () => {
  const { documents, granted, as, clock } = await permissions()
  const [ada, bob] = [await as('ada'), await as('bob')]
  const { document } = await ada.join('draft', { clientId: 1 })
  const bobs = await bob.join('draft', { clientId: 2 })
  await ada.request('awareness', document, encodePresence({ clientId: 1, clock: 1, state: {} }))
  clock.advance(50)
  await bob.until(() => bob.awareness.length > 0)

  granted.set('ada draft', 'none')
  await documents.recheck()
  await ada.until(() => ada.closed.length > 0)
  expect(ada.closed).toMatchObject([{ code: 'access-revoked', retry: 'never' }])
  expect(code(await ada.update(document, writing('x')))).toBe('not-joined')
  expect(code(await ada.pull(document, { epoch: 'x', after: 0 }))).toBe('not-joined')
  expect(code(await ada.tryJoin('draft', { clientId: 1 }))).toBe('forbidden')
  clock.advance(50)
  await bob.until(() => bob.awareness.flatMap(decodePresence).some(({ state }) => state === null))
  expect(await bob.update(bobs.document, writing('x'))).toMatchObject({ ok: true, seq: 1 })
  // An answer over the same socket comes after whatever was relayed before it.
  await ada.tryJoin('draft', { clientId: 1 })
  expect(ada.updates).toEqual([])
})

test('T52 [ACC4] an upload under way is refused after a downgrade, and starts anew after the upgrade', async () => {
  const { documents, granted, as } = await permissions()
  const ada = await as('ada')
  const { document } = await ada.join('draft', { clientId: 1 })
  const update = writing('x'.repeat(1000))
  const chunk = (from: number, to: number): Promise<unknown> =>
    ada.request(
      'chunk',
      document,
      { upload: 1, offset: from, size: update.length },
      update.slice(from, to),
    )
  expect(await chunk(0, 500)).toMatchObject({ ok: true })

  granted.set('ada draft', 'read')
  await documents.recheck({ user: 'ada' })
  expect(code(await chunk(500, update.length))).toBe('read-only')
  expect(code(await ada.request('update', document, { upload: 1 }))).toBe('read-only')

  granted.set('ada draft', 'write')
  await documents.recheck({ user: 'ada' })
  expect(code(await chunk(500, update.length))).toBe('upload-lost')
  await chunk(0, 500)
  await chunk(500, update.length)
  expect(await ada.request('update', document, { upload: 1 })).toMatchObject({ ok: true, seq: 1 })
})

test('T52 [ACC4] what was taken away while a join was under way is not given', async () => {
  const { documents, granted, as, setAuthorize } = await permissions()
  const ada = await as('ada')
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  let questions = 0
  const asked = new Promise<void>((resolve) =>
    setAuthorize(async (user, name) => {
      // What is true when it is asked; the answer takes its time.
      const access = granted.get(`${user?.id} ${name}`) ?? 'write'
      if (questions++ > 0) return access
      resolve()
      await held
      return access
    }),
  )
  const joining = ada.tryJoin('draft', { clientId: 1 })
  await asked
  granted.set('ada draft', 'none')
  await documents.recheck({ user: 'ada' })
  release()
  expect(code(await joining)).toBe('forbidden')
  expect(questions).toBe(2)
})

test('T52 [ACC3] of two questions the later one decides, whichever is answered first', async () => {
  const { documents, as, setAuthorize } = await permissions()
  const ada = await as('ada')
  const { document } = await ada.join('draft', { clientId: 1 })
  const answers: ((access: Access) => void)[] = []
  setAuthorize(() => new Promise((resolve) => answers.push(resolve)))
  const rechecks = [documents.recheck(), documents.recheck()]
  answers[1]!('read')
  answers[0]!('none')
  await Promise.all(rechecks)
  expect(code(await ada.update(document, writing('x')))).toBe('read-only')
  expect(ada.closed).toEqual([])
})

test('T55 [ACC3] [ACC5] a hook that fails or hangs at a recheck lets nobody stay on an old answer', async () => {
  const { documents, as, setAuthorize, errors, clock } = await permissions()
  for (const authorize of [
    () => Promise.reject(new Error('the permissions are down')),
    () => new Promise<Access>(() => undefined),
  ]) {
    setAuthorize(() => 'write')
    const ada = await as('ada')
    await ada.join('draft', { clientId: 1 })
    setAuthorize(authorize)
    const rechecked = documents.recheck()
    clock.advance(10_000)
    await rechecked
    await ada.until(() => ada.closed.length > 0)
    expect(ada.closed).toMatchObject([{ code: 'internal-error', retry: 'backoff' }])
    setAuthorize(() => 'write')
    expect(await ada.tryJoin('draft', { clientId: 1 })).toMatchObject({ ok: true })
    ada.close()
  }
  expect(errors).toHaveLength(2)
})

test('T55 [ACC5] a hook that hangs costs the one request that asked it', async () => {
  const { as, setAuthorize, clock, errors } = await permissions()
  const ada = await as('ada')
  setAuthorize((_user, name) =>
    name === 'hanging' ? new Promise<Access>(() => undefined) : 'write',
  )
  const hanging = ada.tryJoin('hanging', { clientId: 1 })
  expect(await ada.tryJoin('draft', { clientId: 1 })).toMatchObject({ ok: true })
  clock.advance(10_000)
  expect(await hanging).toMatchObject({ code: 'internal-error', retry: 'backoff' })
  expect(errors).toMatchObject([
    { error: { message: 'the hook authorize did not answer within 10000 ms' } },
  ])
})

test('[ACC3] a recheck of nobody, and of a name that is none', async () => {
  const { documents, as } = await permissions()
  const ada = await as('ada')
  await ada.join('draft', { clientId: 1 })
  await documents.recheck({ user: 'nobody' })
  await documents.recheck({ document: 'empty' })
  await expect(documents.recheck({ document: '' })).rejects.toMatchObject({
    code: 'invalid-document-name',
  })
  expect(ada.access).toEqual([])
})

test('[JOIN12] a connection that is in no document is ended after a while, one that is in one is not', async () => {
  const { as, clock } = await permissions()
  const [idle, busy] = [await as('ada'), await as('bob')]
  const { document } = await busy.join('draft', { clientId: 1 })
  clock.advance(60_000)
  await idle.until(() => !idle.socket.connected)
  expect(await busy.leave(document, 1)).toEqual({ ok: true })
  clock.advance(59_999)
  await busy.join('draft', { clientId: 1 })
  clock.advance(60_000)
  expect(await busy.tryJoin('draft', { clientId: 1 })).toMatchObject({ ok: true })
})
