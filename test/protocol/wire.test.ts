import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Encoder, PacketType } from 'socket.io-parser'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { PROTOCOL_VERSION, refusal } from 'y-rooms/protocol'
import { encodePresence } from '../support/awareness-message.ts'
import { updateOf } from '../support/raw-client.ts'

/** Changing the bytes of a message without raising the version breaks clients that are out there. */
const PINNED = {
  version: 1,
  sha256: 'e632a932dc2c34f1ffcb375bf7c70cec0cb880597be4a72ed80f132823be60f0',
}

const NOTHING = new Uint8Array(0)

function examples(): Record<string, string> {
  const doc = new Y.Doc()
  doc.clientID = 1
  const update = updateOf(doc, () => doc.getText('body').insert(0, 'Hi'))
  const stateVector = Y.encodeStateVector(doc)
  const awareness = encodePresence({ clientId: 1, clock: 3, state: { user: { name: 'Ada' } } })
  const epoch = '3f9a1c0b7d2e4a55-0'
  const limits = { updateBytes: 67_108_864, chunkBytes: 262_144, presenceBytes: 16_384 }
  const key = '0123456789abcdef'
  const join = { document: 'draft', clientId: 1, key }
  const joined = { ok: true, document: 7, epoch, seq: 1, head: 1, access: 'write' }
  return {
    'join, new': packet(1, 'join', { ...join, stateVector: new Uint8Array([0]) }),
    'join, back': packet(1, 'join', { ...join, epoch, seq: 1, stateVector }),
    joined: answer(1, { ...joined, stateVector, updates: [update], awareness, limits }),
    'joined, large': answer(1, {
      ...joined,
      stateVector,
      updates: [],
      snapshot: { seq: 1, bytes: 300_000, chunkBytes: 262_144 },
      limits,
    }),
    update: packet(2, 'update', 7, update),
    saved: answer(2, { ok: true, seq: 1, entry: true }),
    refused: answer(2, refusal('missing-dependencies', 'the update builds on what is not here')),
    chunk: packet(3, 'chunk', 7, { upload: 1, offset: 0, size: 15, key }, update),
    'chunk, to go on': packet(3, 'chunk', 7, { upload: 1, offset: 0, size: 15, key }, NOTHING),
    received: answer(3, { ok: true, received: 15 }),
    'update, in chunks': packet(4, 'update', 7, { upload: 1 }),
    'pull, log': packet(5, 'pull', 7, { epoch, after: 0 }),
    'pull, snapshot': packet(6, 'pull', 7, { epoch, snapshot: 1, chunk: 0 }),
    'pull, log in chunks': packet(5, 'pull', 7, { epoch, after: 0, chunked: true }),
    'pull, entry': packet(6, 'pull', 7, { epoch, entry: 1, chunk: 0 }),
    pulled: answer(5, { ok: true, seq: 1, updates: [update] }),
    'pulled, large': answer(5, {
      ok: true,
      seq: 0,
      updates: [],
      entry: { seq: 1, bytes: 1_300_000, chunkBytes: 262_144 },
    }),
    check: packet(6, 'check', 7, { epoch, seq: 1, digest: new Uint8Array(16).fill(170) }),
    'check, the same': answer(6, { ok: true, result: 'same' }),
    'check, different': answer(6, {
      ok: true,
      result: 'different',
      stateVector,
      deletions: new Uint8Array([0, 0]),
    }),
    awareness: packet(7, 'awareness', 7, awareness),
    leave: packet(8, 'leave', 7, 1),
    token: packet(9, 'token', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln'),
    'token, taken': answer(9, { ok: true, expiresInMs: 3_600_000 }),
    'update, relayed': packet(undefined, 'update', 7, 1, 1, update),
    'update, announced': packet(undefined, 'update', 7, 3, 2, new Uint8Array([0, 0])),
    'awareness, relayed': packet(undefined, 'awareness', 7, awareness),
    closed: packet(undefined, 'closed', 7, {
      code: 'server-closing',
      retry: 'backoff',
      message: 'the server is closing',
    }),
    access: packet(undefined, 'access', 7, { access: 'read', code: 'access-changed' }),
    expiring: packet(undefined, 'expiring', 30_000),
  }
}

const packet = (id: number | undefined, ...data: unknown[]): string =>
  encode(PacketType.EVENT, id, data)
const answer = (id: number, body: unknown): string => encode(PacketType.ACK, id, [body])

function encode(type: PacketType, id: number | undefined, data: unknown[]): string {
  const parts = new Encoder().encode({
    type,
    nsp: '/y-rooms',
    data,
    ...(id === undefined ? {} : { id }),
  } as Parameters<Encoder['encode']>[0]) as (string | Uint8Array)[]
  return parts
    .map((part) =>
      typeof part === 'string' ? part : `• ${Buffer.from(part).toString('hex')}`.trimEnd(),
    )
    .join('\n    ')
}

describe('the wire', () => {
  // A page that differs shows what it should say in the failure.
  const block = Object.entries(examples())
    .map(([name, text]) => `${name}\n    ${text}\n`)
    .join('')

  test('[REQ5] the example packets of docs/protocol.md are what the stock parser makes of the messages', () => {
    const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
    expect(page).toContain('```\n' + block + '```')
  })

  test('[REQ5] bytes do not change without the protocol version', () => {
    const sha256 = createHash('sha256').update(block).digest('hex')
    expect({ version: PROTOCOL_VERSION, sha256 }).toEqual(PINNED)
  })
})
