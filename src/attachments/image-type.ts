/** What a browser draws without running anything. SVG is not among them: it is a page with scripts. */
export type ImageType = 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp'

/** How files of each type begin; null is any byte. */
const BEGINNINGS: readonly (readonly [ImageType, readonly (number | null)[]])[] = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38, null, 0x61]],
  ['image/webp', [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50]],
]

/** What the bytes are, whatever somebody calls them; null for anything but an image of these types. */
export function imageTypeOf(bytes: Uint8Array): ImageType | null {
  const found = BEGINNINGS.find(([, beginning]) =>
    beginning.every((byte, index) => byte === null || bytes[index] === byte),
  )
  return found?.[0] ?? null
}
