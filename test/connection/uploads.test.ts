import { describe, expect, test } from 'vitest'
import type { ChunkRequest } from '../../protocol/index.ts'
import { ParkedUploads } from '../../src/connection/parked-uploads.ts'
import { Uploads } from '../../src/connection/uploads.ts'
import { ManualClock } from '../support/manual-clock.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error
const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)
const NOTHING = bytes()
const KEEP_MS = 60_000
/** What one that is kept is counted as, beside its bytes. */
const PARKED_OVERHEAD = 1024

/** The uploads of connections to one server. `add` is for document 1. */
function scene({ parkedBytes = 100, maxUpdateBytes = 10 } = {}) {
  const clock = new ManualClock()
  const parked = new ParkedUploads(clock, parkedBytes, KEEP_MS)
  const connect = () => {
    const uploads = new Uploads({ clock, maxUpdateBytes, parked })
    return {
      uploads,
      add: (request: ChunkRequest, chunk: Uint8Array, document = 1): number =>
        uploads.add(document, request, chunk, request.key ?? null),
      take: (id: number, document = 1): Uint8Array => uploads.take(document, id).bytes,
    }
  }
  return { clock, parked, connect, ...connect() }
}

describe('uploads', () => {
  test('[UP1] chunks in order make the update; it is handed over once', () => {
    const { add, take } = scene()
    expect(add({ upload: 7, offset: 0, size: 5 }, bytes(1, 2))).toBe(2)
    expect(add({ upload: 7, offset: 2, size: 5 }, bytes(3, 4, 5))).toBe(5)
    expect(take(7)).toEqual(bytes(1, 2, 3, 4, 5))
    expect(() => take(7)).toThrow(code('upload-lost'))
  })

  test('[UP1] a chunk that is missing, too long or too early loses the upload; from its beginning it can be sent again', () => {
    const { add, take } = scene()
    const start = (): number => add({ upload: 1, offset: 0, size: 5 }, bytes(1, 2))
    start()
    expect(() => add({ upload: 1, offset: 3, size: 5 }, bytes(4))).toThrow(code('upload-lost'))
    expect(() => add({ upload: 1, offset: 2, size: 5 }, bytes(3))).toThrow(code('upload-lost'))
    start()
    expect(() => add({ upload: 1, offset: 2, size: 5 }, bytes(3, 4, 5, 6))).toThrow(
      code('malformed-request'),
    )
    start()
    expect(() => take(1)).toThrow(code('upload-lost'))
    start()
    add({ upload: 1, offset: 2, size: 5 }, bytes(3, 4, 5))
    expect(take(1)).toHaveLength(5)
  })

  test('[UP2] what is announced is bounded in size and number before any memory is taken for it', () => {
    const { add, take } = scene()
    expect(() => add({ upload: 1, offset: 0, size: 11 }, bytes(1))).toThrow(
      code('update-too-large'),
    )
    for (const upload of [1, 2]) add({ upload, offset: 0, size: 3 }, bytes(1))
    expect(() => add({ upload: 3, offset: 0, size: 3 }, bytes(1))).toThrow(
      code('too-many-requests'),
    )
    // A second try of the first takes its place.
    add({ upload: 1, offset: 0, size: 1 }, bytes(9))
    expect(take(1)).toEqual(bytes(9))
    add({ upload: 3, offset: 0, size: 3 }, bytes(1))
  })

  test('[UP2] all documents of a connection together announce two of the largest updates; another connection has its own', () => {
    const { add, take, connect } = scene()
    add({ upload: 1, offset: 0, size: 10 }, bytes(1), 1)
    add({ upload: 1, offset: 0, size: 9 }, bytes(1), 2)
    expect(() => add({ upload: 1, offset: 0, size: 2 }, bytes(1), 3)).toThrow(
      code('too-many-requests'),
    )
    add({ upload: 1, offset: 0, size: 1 }, bytes(7), 3)
    expect(take(1, 3)).toEqual(bytes(7))
    connect().add({ upload: 1, offset: 0, size: 10 }, bytes(1), 3)
  })

  test('[UP2] an upload that nobody continues for 30 s makes room for another', () => {
    const { add, clock } = scene()
    for (const upload of [1, 2]) add({ upload, offset: 0, size: 3 }, bytes(1))
    clock.advance(20_000)
    add({ upload: 2, offset: 1, size: 3 }, bytes(2))
    clock.advance(10_000)
    add({ upload: 3, offset: 0, size: 3 }, bytes(1))
    expect(add({ upload: 2, offset: 2, size: 3 }, bytes(3))).toBe(3)
    expect(() => add({ upload: 1, offset: 1, size: 3 }, bytes(2))).toThrow(code('upload-lost'))
  })

  test('[UP3] an upload with a key goes on through another connection, where it was', () => {
    const { add, uploads, connect } = scene()
    const chunk = { upload: 1, offset: 0, size: 5, key: 'a' }
    add(chunk, bytes(1, 2, 3))
    uploads.leave(1)
    const second = connect()
    expect(second.add({ ...chunk, upload: 8 }, NOTHING)).toBe(3)
    second.add({ ...chunk, upload: 8, offset: 3 }, bytes(4, 5))
    expect(second.take(8)).toEqual(bytes(1, 2, 3, 4, 5))
  })

  test('[UP3] also while the connection that it came through is dead and nobody has noticed', () => {
    const { add, take, connect } = scene()
    const chunk = { upload: 1, offset: 0, size: 5, key: 'a' }
    add(chunk, bytes(1, 2, 3))
    const second = connect()
    expect(second.add(chunk, NOTHING)).toBe(3)
    expect(() => add({ ...chunk, offset: 3 }, bytes(4, 5))).toThrow(code('upload-lost'))
    second.add({ ...chunk, offset: 3 }, bytes(4, 5))
    expect(() => take(1)).toThrow(code('upload-lost'))
    expect(second.take(1)).toEqual(bytes(1, 2, 3, 4, 5))
    expect(connect().add(chunk, NOTHING)).toBe(0)
  })

  test('[UP3] who asks for what is not there, or is of another size, begins at nothing', () => {
    const { add, uploads, connect } = scene()
    add({ upload: 1, offset: 0, size: 5, key: 'a' }, bytes(1, 2, 3))
    uploads.leave(1)
    const second = connect()
    expect(second.add({ upload: 1, offset: 0, size: 5, key: 'b' }, NOTHING)).toBe(0)
    expect(second.add({ upload: 1, offset: 0, size: 6, key: 'a' }, NOTHING)).toBe(0)
    expect(() => second.add({ upload: 2, offset: 0, size: 5 }, NOTHING)).toThrow(
      code('malformed-request'),
    )
  })

  test('[UP3] a chunk that is not the next loses nothing of an upload with a key: its sender asks where to go on', () => {
    const { add, take } = scene()
    const chunk = { upload: 1, offset: 0, size: 5, key: 'a' }
    add(chunk, bytes(1, 2))
    expect(() => add({ ...chunk, offset: 3 }, bytes(4))).toThrow(code('upload-lost'))
    expect(add(chunk, NOTHING)).toBe(2)
    add({ ...chunk, offset: 2 }, bytes(3, 4, 5))
    expect(take(1)).toEqual(bytes(1, 2, 3, 4, 5))
  })

  test('[UP3] what is kept for who may come back is bounded in time and, over all connections, in bytes', () => {
    const { add, uploads, connect, clock, parked } = scene({ parkedBytes: 5 })
    add({ upload: 1, offset: 0, size: 10, key: 'first' }, bytes(1, 2, 3))
    uploads.leave(1)
    clock.advance(KEEP_MS / 2)
    const second = connect()
    second.add({ upload: 1, offset: 0, size: 10, key: 'second' }, bytes(1, 2, 3))
    second.uploads.leave(1)
    // Both do not fit: the older one is gone.
    expect(parked.bytes).toBe(3 + PARKED_OVERHEAD)
    expect(connect().add({ upload: 1, offset: 0, size: 10, key: 'first' }, NOTHING)).toBe(0)
    clock.advance(KEEP_MS)
    expect(parked.bytes).toBe(0)
    expect(connect().add({ upload: 1, offset: 0, size: 10, key: 'second' }, NOTHING)).toBe(0)
  })

  test('[UP3] what is kept is counted as what it takes, however much was announced, and goes on whole', () => {
    const { uploads, add, connect, parked } = scene({
      parkedBytes: 100_000,
      maxUpdateBytes: 100_000,
    })
    for (let one = 0; one < 1000; one++) {
      add({ upload: 1, offset: 0, size: 90_000, key: `little ${one}` }, bytes(7))
      uploads.leave(1)
    }
    // A byte of each, and what it takes to know of it.
    expect(parked.bytes).toBeLessThanOrEqual(100_000)
    expect(parked.bytes).toBeGreaterThan(50 * PARKED_OVERHEAD)
    const question = { upload: 1, offset: 0, size: 90_000, key: 'little 0' }
    expect(connect().add(question, NOTHING)).toBe(0)
    const last = connect()
    expect(last.add({ ...question, key: 'little 999' }, NOTHING)).toBe(1)
    last.add({ ...question, offset: 1 }, new Uint8Array(89_999).fill(8))
    const whole = last.take(1)
    expect([whole.length, whole[0], whole[1], whole.at(-1)]).toEqual([90_000, 7, 8, 8])
    // More than half of it: the buffer stays, and counts whole.
    add({ ...question, key: 'most' }, new Uint8Array(60_000))
    uploads.leave(1)
    expect(parked.bytes).toBeGreaterThan(90_000)
    expect(parked.bytes).toBeLessThanOrEqual(100_000)
  })
})
