import fc from 'fast-check'
import { Decoder, Encoder, PacketType, type Packet } from 'socket.io-parser'
import { describe, expect, test } from 'vitest'
import { StockPackets } from '../../src/connection/stock-packets.ts'

const NAMESPACES = ['/', '/y-rooms', '/ünï']

function encode(packet: Packet): (string | Buffer)[] {
  return new Encoder().encode(packet) as (string | Buffer)[]
}

/** What the default parser makes of one text and one attachment; null: it refuses them. */
function decode(text: string, attachment: Buffer): Packet | null {
  const decoder = new Decoder()
  let decoded: Packet | null = null
  decoder.on('decoded', (packet: Packet) => (decoded = packet))
  try {
    decoder.add(text)
    decoder.add(attachment)
  } catch {
    return null
  }
  return decoded
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const number = fc.maxSafeNat()

describe('packets past the parser', () => {
  test('[RELAY4] events and answers are, byte for byte, what the default parser writes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMESPACES),
        fc.constantFrom('update', 'awareness'),
        fc.array(number, { minLength: 1, maxLength: 3 }),
        bytes,
        number,
        fc.boolean(),
        fc.object(),
        (nsp, event, numbers, attachment, seq, entry, refusal) => {
          const packets = new StockPackets(nsp)
          const [id = 0] = numbers
          const data = [event, ...numbers, attachment]
          expect(packets.writeEvent(event, [...numbers, attachment])).toEqual(
            encode({ type: PacketType.EVENT, nsp, data }),
          )
          expect([packets.writeUpdateAnswer(id, { seq, entry })]).toEqual(
            encode({ type: PacketType.ACK, nsp, id, data: [{ ok: true, seq, entry }] }),
          )
          expect([packets.writeAnswer(id, refusal)]).toEqual(
            encode({ type: PacketType.ACK, nsp, id, data: [refusal] }),
          )
        },
      ),
    )
  })

  test('[REQ1] an event is read as the default parser reads it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMESPACES),
        fc.constantFrom('update', 'awareness'),
        fc.nat(),
        fc.option(fc.nat()),
        (nsp, event, document, id) => {
          const packet = { type: PacketType.EVENT, nsp, data: [event, document, Buffer.from([1])] }
          const [text] = encode(id === null ? packet : { ...packet, id })
          expect(new StockPackets(nsp).readEventHeader(text as string)).toEqual({
            event,
            document,
            ackId: id,
          })
        },
      ),
    )
  })

  test('[REQ1] whatever is read of a packet that somebody has tampered with, the default parser reads too; the rest is left to it', () => {
    const attachment = Buffer.from([7])
    let read = 0
    fc.assert(
      fc.property(
        fc.nat({ max: 99 }),
        fc.nat({ max: 99 }),
        fc.nat({ max: 60 }),
        fc.nat({ max: 3 }),
        fc.string({ maxLength: 3, unit: fc.constantFrom(...'0123456789-,[]{}" .eE+\\u/5update') }),
        (document, id, at, removed, inserted) => {
          const [text] = encode({
            type: PacketType.EVENT,
            nsp: '/y-rooms',
            id,
            data: ['update', document, attachment],
          }) as [string]
          const packet = text.slice(0, at) + inserted + text.slice(at + removed)
          const header = new StockPackets('/y-rooms').readEventHeader(packet)
          if (header === null) return
          read++
          const decoded = decode(packet, attachment)
          expect(decoded).toMatchObject({
            type: PacketType.EVENT,
            nsp: '/y-rooms',
            data: [header.event, header.document, attachment],
          })
          expect(decoded?.id).toBe(header.ackId ?? undefined)
        },
      ),
      { numRuns: 5000 },
    )
    expect(read).toBeGreaterThan(100)
  })

  test.each([
    ['another namespace', '51-/other,1["update",2,{"_placeholder":true,"num":0}]'],
    ['another event', '51-/y-rooms,1["chunk",2,{"_placeholder":true,"num":0}]'],
    ['no attachment', '2/y-rooms,1["update",2,{"upload":1}]'],
    ['two attachments', '52-/y-rooms,1["update",2,{"_placeholder":true,"num":0}]'],
    ['a number with a leading zero', '51-/y-rooms,1["update",02,{"_placeholder":true,"num":0}]'],
    ['a negative number', '51-/y-rooms,1["update",-2,{"_placeholder":true,"num":0}]'],
    ['a fraction', '51-/y-rooms,1["update",2.5,{"_placeholder":true,"num":0}]'],
    ['a name', '51-/y-rooms,1["update","2",{"_placeholder":true,"num":0}]'],
    ['no document', '51-/y-rooms,1["update",{"_placeholder":true,"num":0}]'],
    ['one argument more', '51-/y-rooms,1["update",2,3,{"_placeholder":true,"num":0}]'],
    [
      'a number that may not be exact',
      '51-/y-rooms,1["update",1234567890123456,{"_placeholder":true,"num":0}]',
    ],
    ['bytes after the end', '51-/y-rooms,1["update",2,{"_placeholder":true,"num":0}] '],
    ['nothing', ''],
  ])('[REQ1] %s is left to the parser', (_what, packet) => {
    expect(new StockPackets('/y-rooms').readEventHeader(packet)).toBeNull()
  })
})
