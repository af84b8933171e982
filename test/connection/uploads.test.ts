import { describe, expect, test } from 'vitest'
import { Uploads } from '../../src/connection/uploads.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error
const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

describe('uploads', () => {
  test('[UP1] chunks in order make the update; it is handed over once', () => {
    const uploads = new Uploads(10)
    uploads.add({ upload: 7, offset: 0, size: 5 }, bytes(1, 2))
    uploads.add({ upload: 7, offset: 2, size: 5 }, bytes(3, 4, 5))
    expect(uploads.take(7)).toEqual(bytes(1, 2, 3, 4, 5))
    expect(() => uploads.take(7)).toThrow(code('upload-lost'))
  })

  test('[UP1] a chunk that is missing, too long or too early loses the upload; from its beginning it can be sent again', () => {
    const uploads = new Uploads(10)
    const start = (): void => uploads.add({ upload: 1, offset: 0, size: 5 }, bytes(1, 2))
    start()
    expect(() => uploads.add({ upload: 1, offset: 3, size: 5 }, bytes(4))).toThrow(
      code('upload-lost'),
    )
    expect(() => uploads.add({ upload: 1, offset: 2, size: 5 }, bytes(3))).toThrow(
      code('upload-lost'),
    )
    start()
    expect(() => uploads.add({ upload: 1, offset: 2, size: 5 }, bytes(3, 4, 5, 6))).toThrow(
      code('malformed-request'),
    )
    start()
    expect(() => uploads.take(1)).toThrow(code('upload-lost'))
    start()
    uploads.add({ upload: 1, offset: 2, size: 5 }, bytes(3, 4, 5))
    expect(uploads.take(1)).toHaveLength(5)
  })

  test('[UP2] what is announced is bounded in size and number before any memory is taken for it', () => {
    const uploads = new Uploads(10)
    expect(() => uploads.add({ upload: 1, offset: 0, size: 11 }, bytes(1))).toThrow(
      code('update-too-large'),
    )
    for (const upload of [1, 2]) uploads.add({ upload, offset: 0, size: 10 }, bytes(1))
    expect(() => uploads.add({ upload: 3, offset: 0, size: 10 }, bytes(1))).toThrow(
      code('upload-lost'),
    )
    // A second try of the first takes its place.
    uploads.add({ upload: 1, offset: 0, size: 1 }, bytes(9))
    expect(uploads.take(1)).toEqual(bytes(9))
    uploads.add({ upload: 3, offset: 0, size: 10 }, bytes(1))
  })
})
