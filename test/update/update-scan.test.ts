import { readFileSync } from 'node:fs'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { MAX_CLOCK } from '../../protocol/index.ts'
import { DEFAULT_SCAN_LIMITS, NO_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import {
  anyItem,
  bytesOf,
  deletedItem,
  forge,
  hex,
  stringBytes,
  textItem,
  typeItem,
  uintBytes,
  type ForgedItem,
  type ForgedStruct,
  type ForgedUpdate,
} from './forged-update.ts'

interface HostileUpdate {
  readonly name: string
  readonly known: Readonly<Record<string, number>>
  readonly update: string
  readonly verdict: ScanResult['verdict']
}

const HOSTILE_UPDATES = JSON.parse(
  readFileSync(new URL('../fixtures/hostile-updates.json', import.meta.url), 'utf8'),
) as readonly HostileUpdate[]

/** Scans against a document that has the first ten clocks of client 1 and no others. */
function scan(update: Uint8Array | ForgedUpdate, limits = DEFAULT_SCAN_LIMITS): ScanResult {
  const bytes = update instanceof Uint8Array ? update : forge(update)
  return scanUpdate(
    bytes,
    {
      clockOf: (client) => (client === 1 ? 10 : 0),
      placeOf: () => 0,
      longMapEntryCutBy: () => null,
    },
    limits,
  )
}

function verdictOf(update: Uint8Array | ForgedUpdate): ScanResult['verdict'] {
  return scan(update).verdict
}

/** An update of client 2 with these structs from clock 0. */
function structs(...list: readonly ForgedStruct[]): ForgedUpdate {
  return { sections: [{ client: 2, clock: 0, structs: list }] }
}

function item(ref: number, content: Uint8Array): ForgedUpdate {
  return structs({ ref, content, parent: 't' })
}

/** A JSON text or an `any` value that nests this deep. */
function nestedJson(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

function nestedAny(depth: number): Uint8Array {
  return Uint8Array.from([1, ...Array.from({ length: depth }, () => [117, 1]).flat(), 126])
}

describe('T30 the shape of an update', () => {
  const text = forge(structs(textItem('hello')))

  it('T30 accepts the update with nothing in it, and refuses none at all', () => {
    expect(verdictOf(Uint8Array.of(0, 0))).toBe('valid')
    expect(verdictOf(new Uint8Array())).toBe('malformed')
    expect(verdictOf(Uint8Array.of(0))).toBe('malformed')
  })

  it('T30 refuses a rich update cut at every length, and with a byte more', () => {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'héllo 🙂', { bold: true })
    doc.getMap('m').set('k', { a: [1, 2.5, 'x', null, new Uint8Array(3)] })
    doc.getArray('a').insert(0, [new Y.XmlElement('p'), new Y.Doc({ meta: 1 }), 'x'])
    doc.getText('t').delete(1, 2)
    const update = Y.encodeStateAsUpdate(doc)
    expect(scanUpdate(update, new DocumentIndex()).verdict).toBe('valid')
    for (let length = 0; length < update.length; length++)
      expect(scanUpdate(update.subarray(0, length), new DocumentIndex()).verdict).toBe('malformed')
    for (let byte = 0; byte < 256; byte++)
      expect(scanUpdate(Uint8Array.of(...update, byte), new DocumentIndex()).verdict).toBe(
        'malformed',
      )
  })

  it('T30 refuses V2 bytes', () => {
    const doc = new Y.Doc()
    expect(verdictOf(Y.encodeStateAsUpdateV2(doc))).toBe('malformed')
    doc.getText('t').insert(0, 'hello')
    expect(verdictOf(Y.encodeStateAsUpdateV2(doc))).toBe('malformed')
  })

  it('T30 refuses counts that the bytes cannot hold, in little time', () => {
    const huge = 2 ** 40
    const section = { client: 2, clock: 0, structs: [textItem('a')] }
    expect(verdictOf({ sections: [{ ...section, count: 30_000_000 }] })).toBe('malformed')
    expect(verdictOf(bytesOf((to) => to.bufs.push(uintBytes(huge))))).toBe('malformed')
    expect(verdictOf(Uint8Array.of(0, ...uintBytes(huge), 1, 1, 0, 1))).toBe('malformed')
    expect(verdictOf(Uint8Array.of(0, 1, 1, ...uintBytes(huge), 0, 1))).toBe('malformed')
    for (const ref of [2, 8]) expect(verdictOf(item(ref, uintBytes(huge)))).toBe('malformed')
    for (const tag of [116, 117, 118, 119])
      expect(verdictOf(item(8, Uint8Array.of(1, tag, ...uintBytes(huge))))).toBe('malformed')
  })

  it('T30 refuses integers over 2^53 - 1, unending or padded', () => {
    const clock = (bytes: readonly number[]) => Uint8Array.of(1, 1, 2, ...bytes, 0, 1, 0)
    expect(verdictOf(clock([0]))).toBe('valid')
    expect(verdictOf(clock([...Array<number>(7).fill(0xff), 0x7f]))).toBe('malformed')
    expect(verdictOf(clock([...Array<number>(200).fill(0x80), 1]))).toBe('malformed')
    expect(verdictOf(clock([0x80, 0]))).toBe('malformed')
  })

  it('T30 refuses clients that come twice or not in descending order', () => {
    const section = (client: number) => ({ client, clock: 0, structs: [textItem('a')] })
    expect(verdictOf({ sections: [section(3), section(2)] })).toBe('valid')
    expect(verdictOf({ sections: [section(2), section(3)] })).toBe('malformed')
    expect(verdictOf({ sections: [section(2), section(2)] })).toBe('malformed')
  })

  it('T30 refuses a client without structs, and structs and deletes without length', () => {
    expect(verdictOf(Uint8Array.of(1, 0, 2, 0, 0, 0, 0))).toBe('malformed')
    for (const empty of [{ gc: 0 }, { skip: 0 }, textItem(''), anyItem([], {}), deletedItem(0, {})])
      expect(verdictOf(structs(empty))).toBe('malformed')
    expect(verdictOf(item(2, Uint8Array.of(0)))).toBe('malformed')
    expect(verdictOf({ deletes: [[1, [[0, 1]]]] })).toBe('valid')
    expect(verdictOf({ deletes: [[1, [[0, 0]]]] })).toBe('malformed')
  })

  it('T30 refuses unknown kinds of content, types and values', () => {
    for (let ref = 11; ref < 32; ref++)
      expect(verdictOf(item(ref, Uint8Array.of(1, 1)))).toBe('malformed')
    for (let type = 0; type < 12; type++) {
      const named = type === 3 || type === 5 ? stringBytes('p') : new Uint8Array()
      expect(verdictOf(item(7, Uint8Array.of(type, ...named)))).toBe(
        type <= 6 ? 'valid' : 'malformed',
      )
    }
    for (let tag = 0; tag < 256; tag++) {
      const verdicts = [0, 1, 4, 8].map((size) =>
        verdictOf(item(8, Uint8Array.of(1, tag, ...new Uint8Array(size)))),
      )
      expect(verdicts.includes('valid'), `tag ${tag}`).toBe(tag >= 116 && tag <= 127)
    }
  })

  it('T30 refuses flags on structs without content, and parents that are neither', () => {
    expect(verdictOf(Uint8Array.of(1, 1, 2, 0, 0x00, 1, 0))).toBe('valid')
    for (const info of [0x20, 0x40, 0x80, 0x2a, 0x4a, 0x8a])
      expect(verdictOf(Uint8Array.of(1, 1, 2, 0, info, 1, 0))).toBe('malformed')
    const parent = (info: number) => Uint8Array.of(1, 1, 2, 0, 1, info, 1, 5, 1, 0)
    expect(verdictOf(parent(0))).toBe('valid')
    expect(verdictOf(parent(2))).toBe('malformed')
  })

  it('T30 refuses strings that are not UTF-8, wherever a string may be', () => {
    const bad = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]
    for (const bytes of bad.map((sequence) => [sequence.length, ...sequence])) {
      expect(verdictOf(item(4, Uint8Array.from(bytes)))).toBe('malformed')
      expect(verdictOf(item(5, Uint8Array.from(bytes)))).toBe('malformed')
      expect(verdictOf(item(6, Uint8Array.of(...bytes, 1, 0x31)))).toBe('malformed')
      expect(verdictOf(item(7, Uint8Array.of(3, ...bytes)))).toBe('malformed')
      expect(verdictOf(item(8, Uint8Array.of(1, 119, ...bytes)))).toBe('malformed')
      expect(verdictOf(item(8, Uint8Array.of(1, 118, 1, ...bytes, 126)))).toBe('malformed')
      expect(verdictOf(item(9, Uint8Array.of(...bytes, 118, 0)))).toBe('malformed')
      expect(verdictOf(Uint8Array.of(1, 1, 2, 0, 4, 1, ...bytes, 1, 0x61, 0))).toBe('malformed')
    }
  })

  it('T30 takes JSON where JSON.parse does, and nothing else', () => {
    const embed = (json: string) => verdictOf(item(5, stringBytes(json)))
    for (const json of ['{}', ' [1, -0.5e+3 ]', '"\\ud800\\n"', 'null', '{"a":{"b":[true]}}', '0'])
      expect(embed(json), json).toBe('valid')
    for (const json of ['', 'undefined', '{', '{"a"}', '01', '1.', '.5', '+1', "'a'", '[1,]'])
      expect(embed(json), json).toBe('malformed')
    for (const json of ['{"a":1,}', '"\\x"', '"\\u12g4"', '"\n"', 'nul', '1 2', '\ufeff1', 'NaN'])
      expect(embed(json), json).toBe('malformed')
    const list = (text: string) => verdictOf(item(2, Uint8Array.of(1, ...stringBytes(text))))
    expect(list('undefined')).toBe('valid')
    expect(list('undefine')).toBe('malformed')
  })

  it('T30 refuses values that nest deeper than 64', () => {
    const format = (json: string) =>
      verdictOf(item(6, Uint8Array.of(...stringBytes('k'), ...stringBytes(json))))
    expect(format(nestedJson(64))).toBe('valid')
    expect(format(nestedJson(65))).toBe('malformed')
    expect(format(nestedJson(20_000))).toBe('malformed')
    expect(verdictOf(item(8, nestedAny(64)))).toBe('valid')
    expect(verdictOf(item(8, nestedAny(65)))).toBe('malformed')
    expect(verdictOf(item(8, nestedAny(20_000)))).toBe('malformed')
  })

  it('T30 takes only the subdocument options that Yjs writes', () => {
    const options = (value: unknown) =>
      verdictOf(
        item(9, Uint8Array.of(...stringBytes('id'), ...anyItem([value], {}).content.slice(1))),
      )
    expect(options({})).toBe('valid')
    expect(options({ gc: false, autoLoad: true, meta: { title: 'x' } })).toBe('valid')
    for (const value of [null, undefined, 'gc', [], { guid: 'x' }, { gc: 'no' }, { autoLoad: {} }])
      expect(options(value)).toBe('malformed')
    expect(options({ gcFilter: true })).toBe('malformed')
  })

  it('T30 T33 holds to the limits on structs, deleted ranges and clients', () => {
    const update = forge({
      sections: [
        { client: 3, clock: 0, structs: [textItem('a'), textItem('b')] },
        { client: 2, clock: 0, structs: [textItem('c')] },
      ],
      deletes: [
        [3, [[0, 1]]],
        [1, [[0, 1], [2, 1]]], // prettier-ignore
      ],
    })
    const limits = { ...NO_SCAN_LIMITS, structs: 3, deleteRanges: 3, clients: 2, nesting: 0 }
    expect(scan(update, limits).verdict).toBe('valid')
    for (const limit of ['structs', 'deleteRanges', 'clients'] as const)
      expect(scan(update, { ...limits, [limit]: limits[limit] - 1 }).verdict, limit).toBe(
        'malformed',
      )
  })

  it('T30 takes several values under one map key whole, living or deleted', () => {
    const entry = (values: number, place: Partial<ForgedItem> = { parent: 'm', parentSub: 'k' }) =>
      structs(anyItem(Array<number>(values).fill(1), place))
    expect(verdictOf(entry(1))).toBe('valid')
    expect(verdictOf(entry(3, { parent: 'a' }))).toBe('valid')
    expect(verdictOf(entry(3))).toBe('valid')
    expect(verdictOf({ ...entry(3), deletes: [[2, [[0, 2]]]] })).toBe('malformed')
    expect(verdictOf({ ...entry(3), deletes: [[2, [[0, 3]]]] })).toBe('valid')
    expect(verdictOf(structs(deletedItem(3, { parent: 'm', parentSub: 'k' })))).toBe('valid')
  })

  it('T31 refuses clocks over the limit', () => {
    expect(verdictOf(structs({ gc: MAX_CLOCK }))).toBe('valid')
    expect(verdictOf(structs({ gc: MAX_CLOCK }, textItem('a')))).toBe('malformed')
    expect(verdictOf(structs({ gc: 2 ** 40 }))).toBe('malformed')
    expect(verdictOf({ deletes: [[1, [[MAX_CLOCK, 1]]]] })).toBe('malformed')
  })

  it('T30 never throws and never changes the bytes', () => {
    const before = hex(text)
    scan(text)
    expect(hex(text)).toBe(before)
    for (let byte = 0; byte < 256; byte++)
      for (let next = 0; next < 256; next++) scan(Uint8Array.of(byte, next, 1, 0, 4))
  })
})

describe('T31 T32 what an update builds on', () => {
  it('T31 refuses a struct that starts above the known clock of its client', () => {
    for (const struct of [textItem('a'), { gc: 3 }, { skip: 3 }]) {
      expect(verdictOf({ sections: [{ client: 1, clock: 11, structs: [struct] }] })).toBe(
        'missing-dependencies',
      )
      expect(verdictOf({ sections: [{ client: 1, clock: 7, structs: [struct] }] })).toBe('valid')
    }
  })

  it('T31 takes a skip over known clocks only', () => {
    const from = (clock: number) => ({
      sections: [{ client: 1, clock, structs: [{ skip: 5 }, textItem('a', { origin: [1, 0] })] }],
    })
    expect(verdictOf(from(5))).toBe('valid')
    expect(verdictOf(from(6))).toBe('missing-dependencies')
    expect(verdictOf(structs(textItem('a'), { skip: 1 }))).toBe('missing-dependencies')
  })

  it('T32 wants origin, right origin and parent known or in the update', () => {
    for (const place of ['origin', 'rightOrigin', 'parent'] as const) {
      expect(verdictOf(structs(textItem('a', { [place]: [1, 9] })))).toBe('valid')
      expect(verdictOf(structs(textItem('a', { [place]: [1, 10] })))).toBe('missing-dependencies')
      expect(verdictOf(structs(textItem('a', { [place]: [7, 0] })))).toBe('missing-dependencies')
      const both = (clock: number): ForgedUpdate => ({
        sections: [
          { client: 3, clock: 0, structs: [textItem('abc')] },
          { client: 2, clock: 0, structs: [textItem('a', { [place]: [3, clock] })] },
        ],
      })
      expect(verdictOf(both(2))).toBe('valid')
      expect(verdictOf(both(3))).toBe('missing-dependencies')
    }
  })

  it('T32 checks what known structs refer to as well, because Yjs does', () => {
    const known = (clock: number): ForgedUpdate => ({
      sections: [{ client: 1, clock: 0, structs: [textItem('a', { origin: [7, clock] })] }],
    })
    expect(verdictOf(known(0))).toBe('missing-dependencies')
    const doc = new Y.Doc()
    Y.applyUpdate(doc, forge({ sections: [{ client: 1, clock: 0, structs: [{ gc: 10 }] }] }))
    Y.applyUpdate(doc, forge(known(0)))
    expect(doc.store.pendingStructs).not.toBeNull()
  })

  it('T30 refuses references to the own or a later clock of the same client', () => {
    for (const place of ['origin', 'rightOrigin', 'parent'] as const) {
      const self = (clock: number) =>
        structs(textItem('ab'), textItem('c', { [place]: [2, clock] }))
      expect(verdictOf(self(1))).toBe('valid')
      expect(verdictOf(self(2))).toBe('malformed')
      expect(verdictOf(self(3))).toBe('malformed')
    }
  })

  it('T32 refuses structs of clients that wait for each other', () => {
    const cross = (first: number, second: number): ForgedUpdate => ({
      sections: [
        {
          client: 3,
          clock: 0,
          structs: [textItem('a'), textItem('b', { origin: [2, first] }), textItem('c')],
        },
        {
          client: 2,
          clock: 0,
          structs: [textItem('x'), textItem('y', { origin: [3, second] }), textItem('z')],
        },
      ],
    })
    expect(verdictOf(cross(0, 0))).toBe('valid')
    expect(verdictOf(cross(0, 2))).toBe('valid')
    expect(verdictOf(cross(2, 0))).toBe('valid')
    expect(verdictOf(cross(1, 1))).toBe('missing-dependencies')
    expect(verdictOf(cross(2, 1))).toBe('missing-dependencies')
  })

  it('T32 finds a long circle and a long way in linear time', () => {
    const clients = 60_000
    // Every client's text follows that of the next lower one; `first` closes the circle, or does not.
    const chain = (first: Partial<ForgedItem>): ForgedUpdate => ({
      sections: Array.from({ length: clients }, (_, index) => ({
        client: clients + 1 - index,
        clock: 0,
        structs: [textItem('a', index === clients - 1 ? first : { origin: [clients - index, 0] })],
      })),
    })
    const started = performance.now()
    expect(verdictOf(chain({ parent: 't' }))).toBe('valid')
    expect(verdictOf(chain({ origin: [clients + 1, 0] }))).toBe('missing-dependencies')
    // Half a second here, most of it to forge the updates; a quadratic scan takes minutes.
    expect(performance.now() - started).toBeLessThan(60_000)
  })

  it('T33 refuses deletes of what nobody has', () => {
    expect(verdictOf({ deletes: [[1, [[0, 10]]]] })).toBe('valid')
    expect(verdictOf({ deletes: [[1, [[0, 11]]]] })).toBe('missing-dependencies')
    expect(verdictOf({ deletes: [[7, [[0, 1]]]] })).toBe('missing-dependencies')
    const own = structs(textItem('abc'))
    expect(verdictOf({ ...own, deletes: [[2, [[0, 3]]]] })).toBe('valid')
    expect(verdictOf({ ...own, deletes: [[2, [[0, 4]]]] })).toBe('missing-dependencies')
  })
})

describe('T34 what a valid scan reports', () => {
  it('T34 gives new clocks from the known one, counted in UTF-16 units', () => {
    const result = scan({
      sections: [
        {
          client: 3,
          clock: 0,
          structs: [textItem('é🙂'), { gc: 2 }, deletedItem(4, { parent: 't' })],
        },
        { client: 1, clock: 8, structs: [textItem('abc', { origin: [1, 7] }), typeItem(1, {})] },
      ],
      deletes: [[1, [[0, 2], [2, 3], [7, 1]]]], // prettier-ignore
    })
    expect(result).toEqual({
      verdict: 'valid',
      inserts: [
        { client: 3, from: 0, to: 9 },
        { client: 1, from: 10, to: 12 },
      ],
      deletes: [
        { client: 3, from: 3, to: 9 },
        { client: 1, from: 0, to: 5 },
        { client: 1, from: 7, to: 8 },
      ],
      places: [
        { client: 3, from: 0, place: 0 },
        { client: 1, from: 10, place: 0 },
      ],
      longMapEntries: [],
      known: [{ client: 1, clock: 10 }],
    })
  })

  it('T34 reports known structs neither as inserts nor as deletes', () => {
    const result = scan({
      sections: [{ client: 1, clock: 0, structs: [{ gc: 4 }, textItem('ab')] }],
    })
    expect(result).toEqual({
      verdict: 'valid',
      inserts: [],
      deletes: [],
      places: [],
      longMapEntries: [],
      known: [{ client: 1, clock: 10 }],
    })
  })
})

describe('T30 the collected hostile updates', () => {
  it.each(HOSTILE_UPDATES)('T30 $name: $verdict', ({ known, update, verdict }) => {
    const bytes = Uint8Array.from(Buffer.from(update, 'hex'))
    const result = scanUpdate(bytes, {
      clockOf: (client) => known[client] ?? 0,
      placeOf: () => 0,
      longMapEntryCutBy: () => null,
    })
    expect(result.verdict, 'message' in result ? result.message : '').toBe(verdict)
  })
})
