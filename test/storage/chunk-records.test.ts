import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { CHUNK_BYTES } from '../../protocol/index.ts'
import {
  decodeChunk,
  deflateChunks,
  encodeChunk,
  threadPoolCodec,
} from '../../src/storage/chunk-records.ts'
import { chunkKey } from '../../src/storage/level-keys.ts'
import { encodeBytes } from '../../src/storage/records.ts'

const KEY = chunkKey('a', 0, 7, 0)
const PLACE = { name: 'a', what: 'snapshot 7 chunk 0' }
const decode = (stored: Uint8Array): Promise<Uint8Array> =>
  decodeChunk(threadPoolCodec, KEY, stored, PLACE)

describe('chunks of snapshots', () => {
  test('a text takes half of its bytes; what does not compress is stored as it is', async () => {
    const text = new TextEncoder()
      .encode(Array.from({ length: 9000 }, (_, line) => `line ${line} of a text, `).join(''))
      .subarray(0, CHUNK_BYTES)
    const noise = new Uint8Array(randomBytes(CHUNK_BYTES))
    const [storedText, storedNoise] = await Promise.all(
      [text, noise].map((bytes) => encodeChunk(threadPoolCodec, KEY, bytes)),
    )
    expect(storedText?.length).toBeLessThan(text.length / 2)
    expect(storedNoise).toEqual(encodeBytes(KEY, noise))
    expect(await decode(storedText as Uint8Array)).toEqual(text)
    expect(await decode(storedNoise as Uint8Array)).toEqual(noise)
    const empty = new Uint8Array()
    expect(await decode(await encodeChunk(threadPoolCodec, KEY, empty))).toEqual(empty)
  })

  test('deflated beforehand, on another thread, they are the same records', async () => {
    const text = new TextEncoder().encode('a text '.repeat(CHUNK_BYTES / 4))
    const noise = new Uint8Array(randomBytes(1000))
    const deflated = deflateChunks(text, noise)
    const chunks = [text.subarray(0, CHUNK_BYTES), text.subarray(CHUNK_BYTES), noise]
    expect(deflated).toHaveLength(chunks.length)
    for (const [number, chunk] of chunks.entries()) {
      const bytes = deflated[number] as Uint8Array
      expect(bytes.buffer.byteLength).toBe(bytes.length)
      expect(await encodeChunk(threadPoolCodec, KEY, chunk, bytes)).toEqual(
        await encodeChunk(threadPoolCodec, KEY, chunk),
      )
    }
  })

  test('chunks of the first releases, which deflated none, are read', async () => {
    const bytes = new TextEncoder().encode('a'.repeat(1000))
    expect(await decode(encodeBytes(KEY, bytes))).toEqual(bytes)
  })

  test('T10 a flipped bit is found, and so are bytes that never were deflated', async () => {
    const bytes = new TextEncoder().encode('a'.repeat(1000))
    const stored = Buffer.from(await encodeChunk(threadPoolCodec, KEY, bytes))
    for (let at = 0; at < stored.length; at++) {
      const harmed = Buffer.from(stored)
      harmed[at] = (harmed[at] as number) ^ 1
      await expect(decode(harmed)).rejects.toMatchObject({ code: 'record-damaged' })
    }
    const wrong = Buffer.concat([stored.subarray(0, 5), Buffer.alloc(50, 0xff)])
    wrong.writeUInt32BE(crc32(wrong.subarray(4), crc32(KEY)), 0)
    await expect(decode(wrong)).rejects.toThrow('cannot be inflated')
  })
})
