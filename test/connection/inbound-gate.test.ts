import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { EngineSocket } from '../../src/connection/engine-socket.ts'
import { InboundGate } from '../../src/connection/inbound-gate.ts'

type WebSocket = NonNullable<EngineSocket['transport']['socket']>

/** Stands for the receiver of ws; `take` sees what has become messages. */
function scene(take: (bytes: Buffer, gate: InboundGate) => Error | void, isLate = false) {
  const tcp = new EventEmitter()
  const receiver = new Writable({
    write(bytes: Buffer, _encoding, written) {
      const tell = (): void => written(take(bytes, gate) ?? null)
      if (isLate) setImmediate(tell)
      else tell()
    },
  })
  const socket = { readyState: 1, _receiver: receiver, _socket: tcp } as unknown as WebSocket
  const gate = InboundGate.of(socket) as InboundGate
  expect(InboundGate.of(socket)).toBe(gate)
  return { tcp, receiver, gate }
}

const CHUNK = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 7) % 251))

test.each([false, true])(
  '[RATE1] bytes behind a gate wait in their order, and nothing is lost (late: %s)',
  async (isLate) => {
    const taken: Buffer[] = []
    const { receiver, gate } = scene((bytes, self) => {
      taken.push(bytes)
      self.close()
    }, isLate)
    let written = 0
    for (let chunk = 0; chunk < 3; chunk++) receiver.write(CHUNK, () => written++)
    for (let opened = 1; written < 3; opened++) {
      await turn()
      await turn()
      expect(taken.length).toBeLessThanOrEqual(opened)
      gate.open()
    }
    expect(Buffer.concat(taken).equals(Buffer.concat([CHUNK, CHUNK, CHUNK]))).toBe(true)
    expect(Math.max(...taken.map(({ length }) => length))).toBeLessThan(4096)
  },
)

test('[RATE1] what waits is taken when the connection has ended', async () => {
  const taken: Buffer[] = []
  const { tcp, receiver } = scene((bytes, self) => {
    taken.push(bytes)
    self.close()
  })
  receiver.write(CHUNK)
  receiver.end(CHUNK)
  await turn()
  expect(taken).toHaveLength(1)
  tcp.emit('close')
  while (!receiver.writableFinished) await turn()
  expect(Buffer.concat(taken).equals(Buffer.concat([CHUNK, CHUNK]))).toBe(true)
})

test('bytes that are no messages end the reading as they would without a gate', async () => {
  let count = 0
  const { receiver } = scene(() => (++count === 2 ? new Error('no frame') : undefined))
  const failed = new Promise((resolve) => receiver.once('error', resolve))
  receiver.write(CHUNK)
  expect(await failed).toMatchObject({ message: 'no frame' })
  expect(count).toBe(2)
})

test('a WebSocket of another kind has none', () => {
  expect(InboundGate.of({ readyState: 1 })).toBeNull()
})
