import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import {
  DocumentError,
  levelStorage,
  type ChangedPresence,
  type CommittedUpdate,
  type DocumentName,
} from 'y-rooms/server'
import type { Refusal, UpdateAnswer } from 'y-rooms/protocol'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import { updateOf } from '../support/raw-client.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'
import { accessServer, token, writing } from './access-scene.ts'

const code = (answer: unknown): string | undefined => (answer as Partial<Refusal>).code
const textOf = (update: Uint8Array): string => {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('body').toJSON()
}

test('[HOOK1] beforeUpdate refuses a change of a client or over HTTP with its code; nobody sees it', async () => {
  const asked: string[] = []
  const { clock, connect, ask, documents } = await accessServer({
    beforeUpdate: ({ document, user, update }) => {
      asked.push(`${user?.id} ${document} ${textOf(update)}`)
      if (textOf(update).includes('secret'))
        throw new DocumentError('update-refused', 'secrets stay at home')
    },
  })
  const shown = await token(clock)
  const client = await connect(shown)
  const { document } = await client.join('draft', { clientId: 1 })
  expect(await client.update(document, writing('fine'))).toMatchObject({ ok: true, seq: 1 })
  expect(await client.update(document, writing('secret'))).toEqual({
    ok: false,
    code: 'update-refused',
    retry: 'never',
    message: 'secrets stay at home',
  })
  const post = (text: string): Promise<Response> =>
    ask('/documents/draft/updates', shown, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from(writing(text)),
    })
  expect((await post('secret over http')).status).toBe(422)
  expect((await post('fine over http')).status).toBe(200)
  expect(asked).toEqual([
    'ada draft fine',
    'ada draft secret',
    'ada draft secret over http',
    'ada draft fine over http',
  ])
  const editor = await documents.open('draft')
  expect(await editor.read((doc) => doc.getText('body').toJSON())).not.toContain('secret')
  // What is no update does not reach the hook, which may well decode it.
  expect(code(await client.update(document, new Uint8Array([1, 2, 3])))).toBe('malformed-update')
  expect(asked).toHaveLength(4)
})

test('T55 [HOOK1] beforeUpdate that throws or hangs costs that change, not those behind it, and their order stays', async () => {
  let fail: (text: string) => Promise<void> = () => Promise.resolve()
  const { clock, connect, errors } = await accessServer({
    beforeUpdate: ({ update }) => fail(textOf(update)),
  })
  const client = await connect(await token(clock))
  const { document } = await client.join('draft', { clientId: 1 })
  fail = (text) => {
    if (text === 'throws') throw new Error('a defect')
    return text === 'hangs' ? new Promise(() => undefined) : Promise.resolve()
  }
  const doc = new Y.Doc()
  const chain = ['a', 'b', 'c'].map((letter) =>
    updateOf(doc, () => doc.getText('body').insert(doc.getText('body').length, letter)),
  )
  const answers: Promise<UpdateAnswer | Refusal>[] = [
    client.update(document, writing('throws')),
    client.update(document, writing('hangs')),
    // Each builds on the one before it.
    ...chain.map((update) => client.update(document, update)),
  ]
  expect(await answers[0]).toMatchObject({ code: 'internal-error', retry: 'backoff' })
  // An answer to what came after the update that hangs: another document is not held up.
  const other = await client.join('other', { clientId: 1 })
  expect(await client.update(other.document, writing('x'))).toMatchObject({ ok: true })
  clock.advance(10_000)
  expect(await answers[1]).toMatchObject({ code: 'internal-error' })
  expect(await Promise.all(answers.slice(2))).toMatchObject([{ seq: 1 }, { seq: 2 }, { seq: 3 }])
  expect(errors).toMatchObject([
    { error: { message: 'a defect' } },
    { error: { message: 'the hook beforeUpdate did not answer within 10000 ms' } },
  ])
})

test('[HOOK1] a change is asked about when the one before it was decided, since it may build on it', async () => {
  const asked: string[] = []
  let release = (): void => undefined
  const { clock, connect } = await accessServer({
    beforeUpdate: ({ document, update }) => {
      if (document !== 'draft') return undefined
      asked.push(textOf(update))
      return asked.length > 1 ? undefined : new Promise((resolve) => (release = resolve))
    },
  })
  const client = await connect(await token(clock))
  const { document } = await client.join('draft', { clientId: 1 })
  const other = await client.join('other', { clientId: 1 })
  const doc = new Y.Doc()
  const answers = ['a', 'b'].map((letter, index) =>
    client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(index, letter)),
    ),
  )
  // Its answer comes after both have arrived.
  expect(await client.update(other.document, writing('x'))).toMatchObject({ ok: true })
  expect(asked).toEqual(['a'])
  release()
  expect(await Promise.all(answers)).toMatchObject([{ seq: 1 }, { seq: 2 }])
})

test('T52 [HOOK1] [ACC4] what waits for beforeUpdate when access is taken away is not accepted', async () => {
  let release = (): void => undefined
  let access: 'read' | 'write' = 'write'
  const { clock, connect, documents } = await accessServer({
    authorize: () => access,
    beforeUpdate: () => new Promise((resolve) => (release = resolve)),
  })
  const client = await connect(await token(clock))
  const { document } = await client.join('draft', { clientId: 1 })
  const waiting = client.update(document, writing('x'))
  await client.leave(document, 99)
  access = 'read'
  await documents.recheck()
  release()
  expect(code(await waiting)).toBe('read-only')
})

test('[HOOK1] changes that wait for a slow hook are bounded', async () => {
  const { clock, connect } = await accessServer({
    beforeUpdate: () => new Promise(() => undefined),
    maxUpdateBytes: 10_000_000,
  })
  const client = await connect(await token(clock))
  const { document } = await client.join('draft', { clientId: 1 })
  const large = writing('x'.repeat(900_000))
  const answers = Array.from({ length: 6 }, () => client.update(document, large))
  expect(code(await answers[5])).toBe('too-many-requests')
  const codes: unknown[] = []
  for (const answer of answers) {
    clock.advance(10_000)
    codes.push(code(await answer))
  }
  expect(codes).toEqual([
    ...Array.from({ length: 4 }, () => 'internal-error'),
    ...Array.from({ length: 2 }, () => 'too-many-requests'),
  ])
})

test('[HOOK2] [AUD1] afterCommit is told of what is on the disk, in order, with author and time; so is the log', async () => {
  const told: CommittedUpdate[] = []
  const storage = levelStorage(await makeTempDirectory())
  const { clock, connect, ask, documents } = await accessServer({
    storage,
    afterCommit: (committed) => void told.push(committed),
  })
  const [ada, bob] = [await token(clock), await token(clock, { sub: 'bob' })]
  const client = await connect(ada)
  const { document, epoch } = await client.join('draft', { clientId: 1 })
  const first = clock.now()
  await client.update(document, writing('one'))
  clock.advance(1000)
  await ask('/documents/draft/updates', bob, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(writing('two')),
  })
  const editor = await documents.open('draft')
  await editor.transact((doc) => doc.getText('body').insert(0, 'three '))
  const expected = [
    { seq: 1, userId: 'ada', acceptedAt: first },
    { seq: 2, userId: 'bob', acceptedAt: first + 1000 },
    { seq: 3, userId: null, acceptedAt: first + 1000 },
  ]
  expect(told.map(({ seq, userId, acceptedAt }) => ({ seq, userId, acceptedAt }))).toEqual(expected)
  expect(told.map((committed) => committed.document)).toEqual(['draft', 'draft', 'draft'])
  expect(textOf(told[0]!.update)).toBe('one')
  const entries = await storage.readEntries('draft' as DocumentName, epoch, 0, 1_000_000)
  expect(
    entries.map(({ seq, author, receivedAt }) => ({ seq, userId: author, acceptedAt: receivedAt })),
  ).toEqual(expected)
})

test('[HOOK2] opened and closed: once for a connection and document, with the reason of the end', async () => {
  const told: string[] = []
  const { clock, connect, documents } = await accessServer({
    opened: ({ document, user, access }) => void told.push(`+ ${user?.id} ${document} ${access}`),
    closed: ({ document, user, code: why }) => void told.push(`- ${user?.id} ${document} ${why}`),
    authorize: (_user, name) => (name === 'draft' && isRevoked ? 'none' : 'write'),
  })
  let isRevoked = false
  const client = await connect(await token(clock, { documents: { '*': 'write', view: 'read' } }))
  await client.join('draft', { clientId: 1 })
  await client.join('draft', { clientId: 2 })
  const view = await client.join('view', { clientId: 1 })
  await client.join('other', { clientId: 1 })
  await client.leave(view.document, 1)
  isRevoked = true
  await documents.recheck()
  client.close()
  await expect.poll(() => told.length).toBe(6)
  expect(told).toEqual([
    '+ ada draft write',
    '+ ada view read',
    '+ ada other write',
    '- ada view null',
    '- ada draft access-revoked',
    '- ada other null',
  ])
})

test('T42 [HOOK2] [PRES2] presence is told as others see it: identity cannot be claimed, wherever editors keep it', async () => {
  const told: ChangedPresence[] = []
  const { clock, connect } = await accessServer({ presence: (changed) => void told.push(changed) })
  const client = await connect(await token(clock, { sub: 'mallory', name: 'Mallory' }))
  const watcher = await connect(await token(clock))
  await watcher.join('draft', { clientId: 2 })
  const { document } = await client.join('draft', { clientId: 1 })
  const claims: Record<string, unknown>[] = [
    { user: { name: 'Ada', color: 'red' } },
    { user: 'Ada' },
    { user: ['Ada'] },
    { user: { name: { toString: 'Ada' } } },
    { name: 'Ada', user: null },
    { data: { name: 'Ada', color: 'red' } },
    JSON.parse('{"__proto__":{"name":"Ada"},"user":{"__proto__":{"name":"Ada"},"name":"Ada"}}'),
  ]
  for (const [step, state] of claims.entries()) {
    const update = encodePresence({ clientId: 1, clock: step, state: { ...state, step } })
    expect(await client.request('awareness', document, update)).toEqual({ ok: true })
    clock.advance(60)
    await expect.poll(() => watcher.awareness.length).toBe(step + 1)
    const [seen] = decodePresence(watcher.awareness.at(-1)!)
    const { user, name, data } = seen!.state as Record<string, Record<string, unknown>>
    expect(user!['name'], JSON.stringify(state)).toBe('Mallory')
    expect([undefined, 'Mallory']).toContain(name)
    expect([undefined, 'Mallory']).toContain(data?.['name'])
    expect(told.at(-1)).toMatchObject({ document: 'draft', clientId: 1, state: seen!.state })
  }
  client.close()
  await expect.poll(() => told.at(-1)?.state).toBeNull()
  expect(told.at(-1)).toEqual({
    document: 'draft',
    user: expect.objectContaining({ id: 'mallory' }) as unknown,
    clientId: 1,
    state: null,
  })
})

test('T55 [HOOK2] a notice that throws, at once or later, is logged and changes nothing', async () => {
  const fail = (): never => {
    throw new Error('at once')
  }
  const { clock, connect, errors } = await accessServer({
    opened: fail,
    presence: () => Promise.reject(new Error('later')),
    afterCommit: fail,
    closed: fail,
  })
  const client = await connect(await token(clock))
  onTestFinished(() => client.close())
  const { document } = await client.join('draft', { clientId: 1 })
  expect(await client.update(document, writing('x'))).toMatchObject({ ok: true })
  const present = encodePresence({ clientId: 1, clock: 1, state: {} })
  expect(await client.request('awareness', document, present)).toEqual({ ok: true })
  expect(await client.leave(document, 1)).toEqual({ ok: true })
  expect(await client.tryJoin('draft', { clientId: 1 })).toMatchObject({ ok: true })
  await expect.poll(() => errors.length).toBe(6)
})
