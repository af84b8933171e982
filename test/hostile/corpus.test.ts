import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { residentBytes } from '../support/process-memory.ts'
import { RawClient, readDocument } from '../support/raw-client.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'
import { anyItem, forge, textItem, typeItem, type Id } from '../update/forged-update.ts'
import { Random, RandomWorld } from '../update/random-world.ts'
import { Bystanders } from './bystanders.ts'
import {
  build,
  isFramesCase,
  loadCorpus,
  sendFrames,
  type FramesCase,
  type Learned,
  type RequestCase,
} from './hostile-case.ts'

const MIB = 1024 * 1024
const CASES = loadCorpus()
const REQUESTS = CASES.filter((hostile): hostile is RequestCase => !isFramesCase(hostile))
const FRAMES = CASES.filter(isFramesCase)
const title = ({ traps, name }: { traps: readonly string[]; name: string }): string =>
  `${traps.join(' ')} ${name}`

let directory: string
let server: ServerProcess
let bystanders: Bystanders
let residentBefore: number

/** What the data files build on: client 1 has ten letters, 200 a key of a nested map, 201 arrays in one another. */
const SEED = [
  forge({ sections: [{ client: 1, clock: 0, structs: [textItem('0123456789')] }] }),
  forge({
    sections: [
      {
        client: 200,
        clock: 0,
        structs: [
          typeItem(1, { parent: 'm', parentSub: 'map' }),
          anyItem([1], { parent: [200, 0], parentSub: 'k' }),
        ],
      },
    ],
  }),
  forge({
    sections: [
      {
        client: 201,
        clock: 0,
        structs: Array.from({ length: 257 }, (_, clock) =>
          typeItem(0, { parent: clock === 0 ? 'a' : ([201, clock - 1] as Id) }),
        ),
      },
    ],
  }),
]

async function seed(name: string): Promise<void> {
  const client = await RawClient.connect(server.url)
  const { document } = await client.join(name, { clientId: 1 })
  for (const update of SEED)
    expect(await client.update(document, update)).toMatchObject({ ok: true })
  client.close()
}

beforeAll(async () => {
  directory = await makeTempDirectory()
  server = await startServerProcess(
    'hostile-server.mjs',
    directory,
    JSON.stringify({ maxUpdateBytes: MIB / 2 }),
  )
  await seed('target')
  await seed('neighbour')
  bystanders = await Bystanders.connect(server.url)
  await bystanders.watch(server.url, 'target', 1001)
  await bystanders.watch(server.url, 'neighbour', 1002)
  // The largest honest messages first: what they make the process take is not the attacks' doing.
  const warm = await RawClient.connect(server.url)
  const { document } = await warm.join('warm', { clientId: 9 })
  for (let round = 0; round < 20; round++) await warm.update(document, new Uint8Array(500_000))
  warm.close()
  await bystanders.expectUnharmed()
  residentBefore = residentBytes(server.process.pid!)
})

afterAll(async () => {
  bystanders?.close()
  await server?.kill()
  await removeDirectory(directory)
})

/** The answer's code, `ok`, or `silence`. */
async function play(client: RawClient, hostile: RequestCase, name: string): Promise<string> {
  const learned: Learned = { handle: 1, epoch: 'epoch', handles: new Map() }
  const neighbour = await RawClient.connect(server.url)
  learned.handles.set('neighbour', (await neighbour.join('neighbour', { clientId: 77 })).document)
  neighbour.close()
  const renamed = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll('"target"', JSON.stringify(name)))
  for (const [event, ...args] of hostile.before ?? [['join', { $join: 'target' }]]) {
    const answer = await client.request<{ ok: true; document?: number; epoch?: string }>(
      event,
      ...(build(renamed(args), learned) as unknown[]),
    )
    if (!answer.ok) throw new Error(`${event} before it was refused: ${answer.code}`)
    learned.handle = answer.document ?? learned.handle
    learned.epoch = answer.epoch ?? learned.epoch
  }
  if (JSON.stringify(hostile.args).includes('$epoch') && hostile.before?.length === 0) {
    const reader = await RawClient.connect(server.url)
    learned.epoch = (await reader.join(name, { clientId: 78 })).epoch
    reader.close()
  }
  const event = build(hostile.event, learned) as string
  const args = build(renamed(hostile.args), learned) as unknown[]
  let answered: string | null = null
  if (hostile.acknowledged === false) client.socket.emit(event, ...args)
  else
    client.socket.emit(event, ...args, (answer: { ok: boolean; code?: string }) => {
      answered = answer.ok ? 'ok' : (answer.code ?? 'no code')
    })
  // Messages of a connection are handled in order, but some answers wait for the disk: an answer to each of two
  // later requests, one of which goes to the disk as well, comes after.
  await client.request('leave', 'no such handle', 1)
  if (hostile.expected !== 'silence')
    while (answered === null && client.socket.connected)
      await client.request('leave', 'no such handle', 1)
  return answered ?? 'silence'
}

describe('the hostile corpus, request by request', () => {
  test.each(REQUESTS.map((hostile, index) => [title(hostile), hostile, index] as const))(
    '%s',
    async (_title, hostile, index) => {
      // What is taken must not change the document that all others are compared with.
      const changes =
        (hostile.expected === 'ok' && hostile.event === 'update') ||
        hostile.before?.some(([event]) => event === 'update') === true
      const name = changes ? `own ${index}` : 'target'
      if (name !== 'target') await seed(name)
      const client = await RawClient.connect(server.url)
      expect(await play(client, hostile, name)).toBe(hostile.expected)
      expect([client.closed, client.socket.connected]).toEqual([[], true])
      client.close()
      await bystanders.expectUnharmed()
      if (name === 'target') return
      // What is taken, every Yjs takes whole.
      const doc = await readDocument(server.url, name)
      expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null])
    },
  )

  const updates = JSON.parse(
    readFileSync(new URL('../fixtures/hostile-updates.json', import.meta.url), 'utf8'),
  ) as { name: string; update: string; verdict: string }[]

  test.each(updates)(
    'T30 T31 T32 T33 [REQ3] $name: $verdict',
    async ({ name, update, verdict }) => {
      const document = verdict === 'valid' ? `fixture ${name}` : 'target'
      if (document !== 'target') await seed(document)
      const client = await RawClient.connect(server.url)
      const { document: handle } = await client.join(document, { clientId: 9 })
      const answer = await client.update(handle, Buffer.from(update, 'hex'))
      const code = answer.ok ? 'valid' : answer.code.replace('malformed-update', 'malformed')
      expect(code).toBe(verdict)
      client.close()
      await bystanders.expectUnharmed()
    },
  )
})

describe('the hostile corpus, cut and multiplied', () => {
  test('T30 [REQ3] real updates, cut at every length, with every byte at their end, and as V2', async () => {
    const world = new RandomWorld(30)
    for (let round = 0; round < 6; round++) world.accept(world.nextUpdate())
    const states = [Y.encodeStateAsUpdate(world.server), world.nextUpdate(), world.nextUpdate()]
    const attacker = await RawClient.connect(server.url)
    const { document } = await attacker.join('target', { clientId: 9 })
    const random = new Random(30)
    for (const state of states) {
      const hostile = [Y.convertUpdateFormatV1ToV2(state)]
      for (let length = 0; length < state.length; length++) hostile.push(state.slice(0, length))
      for (let tail = 0; tail < 256; tail++) hostile.push(Uint8Array.of(...state, tail))
      for (let more = 0; more < 50; more++)
        hostile.push(Uint8Array.of(...state, ...random.pick(states)))
      const answers = await Promise.all(hostile.map((bytes) => attacker.update(document, bytes)))
      for (const [index, answer] of answers.entries()) {
        const shown = Buffer.from(hostile[index]!).toString('hex')
        expect(answer, shown).toMatchObject({ ok: false, code: 'malformed-update' })
      }
    }
    attacker.close()
    await bystanders.expectUnharmed()
  })

  test('T32 T33 [LOG3] three thousand updates that can never integrate and as many fake deletes leave nothing behind', async () => {
    const attacker = await RawClient.connect(server.url)
    const { document } = await attacker.join('target', { clientId: 9 })
    const hostile = Array.from({ length: 3000 }, (_, index) => [
      forge({
        sections: [
          {
            client: 5000 + index,
            clock: 7,
            structs: [textItem('x'.repeat(100), { origin: [4711, index] })],
          },
        ],
      }),
      forge({ deletes: [[4711, [[index * 2, 1]]]] }),
    ]).flat()
    const answers = await Promise.all(hostile.map((bytes) => attacker.update(document, bytes)))
    expect(new Set(answers.map((answer) => (answer.ok ? 'ok' : answer.code)))).toEqual(
      new Set(['missing-dependencies']),
    )
    attacker.close()
    await bystanders.expectUnharmed()
  })
})

describe('the hostile corpus, packet by packet', () => {
  test.each(FRAMES.map((hostile) => [title(hostile), hostile] as const))(
    '%s',
    async (_title, hostile: FramesCase) => {
      const client = await RawClient.connect(server.url)
      const { document, epoch } = await client.join('target', { clientId: 9 })
      const gone = new Promise<'disconnected'>((resolve) =>
        client.socket.once('disconnect', () => resolve('disconnected')),
      )
      sendFrames(client, hostile, { handle: document, epoch, handles: new Map() })
      const alive = client
        .request('leave', 'no such handle', 1)
        .then(() => 'alive' as const)
        .catch(() => gone)
      expect(await Promise.race([gone, alive])).toBe(hostile.expected)
      client.close()
      await bystanders.expectUnharmed()
    },
  )
})

test('T27 T30 [REQ1] after the whole corpus the process is the same, and has at most 64 MB more', async () => {
  expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null])
  const grown = residentBytes(server.process.pid!) - residentBefore
  expect(grown / MIB).toBeLessThan(64)
  process.stdout.write(
    `${CASES.length} cases: resident memory ${(grown / MIB).toFixed(1)} MiB above that before\n`,
  )
})
