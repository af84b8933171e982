import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { isErrorCode } from 'y-rooms/protocol'
import { RawClient, readDocument } from '../support/raw-client.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'
import { mutate } from '../update/random-mutation.ts'
import { Random, RandomWorld } from '../update/random-world.ts'
import { Bystanders } from './bystanders.ts'

/** Sockets are slow: a fortieth of what the fuzzer without them tries. */
const ROUNDS = Math.ceil(Number(process.env['FUZZ_RUNS'] ?? 4000) / 400)
const FUZZ_SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const REQUESTS_PER_ROUND = 10

let directory: string
let server: ServerProcess
let bystanders: Bystanders

beforeAll(async () => {
  directory = await makeTempDirectory()
  server = await startServerProcess('hostile-server.mjs', directory)
  bystanders = await Bystanders.connect(server.url)
  await bystanders.watch(server.url, 'neighbour', 1002)
})

afterAll(async () => {
  bystanders?.close()
  await server?.kill()
  await removeDirectory(directory)
})

const EVENTS = ['join', 'update', 'chunk', 'awareness', 'pull', 'leave', 'closed', 'error']

/** Packets as clients write them; what follows changes some of their characters. */
const PACKETS = [
  '2/y-rooms,1["leave",1,1]',
  '51-/y-rooms,2["update",1,{"_placeholder":true,"num":0}]',
  '52-/y-rooms,2["update",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
  '2/y-rooms,3["pull",1,{"epoch":"e","after":0}]',
  '0/y-rooms,{"protocol":1}',
  '1/y-rooms,',
  '3/y-rooms,1[{"ok":true}]',
]

function mutatePacket(random: Random, packet: string): string {
  const characters = [...packet]
  for (let faults = 1 + random.below(3); faults > 0; faults--)
    characters.splice(
      random.below(characters.length + 1),
      random.below(3),
      random.pick([
        '',
        '"',
        '[',
        ']',
        '{',
        '}',
        ',',
        '-',
        '/',
        '0',
        '9',
        '\u0000',
        'é',
        '\ud83d',
        '\u001e',
      ]),
    )
  return characters.join('')
}

test(
  'T27 T30 T34 [REQ1] [REQ3] whatever comes over real sockets: coded answers, an unharmed process and neighbours',
  { timeout: 240_000 + ROUNDS * 2000 },
  async () => {
    let requests = 0
    for (let round = 0; round < ROUNDS; round++) {
      const seed = FUZZ_SEED + round
      const random = new Random(seed)
      const world = new RandomWorld(seed)
      const name = `target ${round}`
      const transport = random.pick(['websocket', 'websocket', 'polling'])
      let client = await RawClient.connect(server.url, {}, [transport])
      let joined = await client.join(name, { clientId: 9 })
      const honest = [world.nextUpdate(), world.nextUpdate()]
      for (let index = 0; index < REQUESTS_PER_ROUND; index++) {
        requests++
        if (!client.socket.connected) {
          client = await RawClient.connect(server.url, {}, [transport])
          joined = await client.join(name, { clientId: 9 })
        }
        const way = random.below(10)
        if (way < 3) {
          const engine = client.socket.io.engine as unknown as { write(data: unknown): void }
          engine.write(mutatePacket(random, random.pick(PACKETS)))
          if (random.chance(0.6))
            engine.write(Buffer.from(mutate(random, random.pick(honest), honest)))
          continue
        }
        const bytes = random.chance(0.3)
          ? random.pick(honest)
          : mutate(random, random.pick(honest), honest)
        const event = way < 7 ? 'update' : random.pick(EVENTS.slice(0, 6))
        const second = random.pick<unknown>([
          bytes,
          { upload: 1, offset: 0, size: bytes.length },
          9,
          bytes,
        ])
        const ended = new Promise<null>((resolve) =>
          client.socket.once('disconnect', () => resolve(null)),
        )
        const answer = await Promise.race([
          client
            .request<{ ok: true }>(event, joined.document, way < 7 ? bytes : second, bytes)
            .catch(() => ended),
          ended,
        ])
        const isCoded =
          answer === null ||
          answer.ok ||
          (isErrorCode(answer.code) && answer.code !== 'internal-error')
        expect(isCoded, `FUZZ_SEED=${seed}: ${event} ${JSON.stringify(answer)}`).toBe(true)
      }
      client.close()
      await bystanders.expectUnharmed()
      const doc = await readDocument(server.url, name)
      expect([doc.store.pendingStructs, doc.store.pendingDs], `FUZZ_SEED=${seed}`).toEqual([
        null,
        null,
      ])
      expect(() => Y.encodeStateAsUpdate(doc)).not.toThrow()
    }
    expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null])
    process.stdout.write(`${requests} requests over sockets from seed ${FUZZ_SEED}\n`)
  },
)
