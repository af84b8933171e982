/**
 * The length in UTF-16 units of the UTF-8 in `bytes[from..to)`, or -1 where a fatal TextDecoder
 * would throw: overlong forms, surrogates, code points over U+10FFFF, cut sequences. Yjs counts
 * clocks in UTF-16 units; counting here saves making the string.
 */
export function utf16Length(bytes: Uint8Array, from: number, to: number): number {
  let units = to - from
  let position = from
  while (position < to) {
    const lead = bytes[position] as number
    if (lead < 0x80) {
      position++
      continue
    }
    const size = sequenceSize(lead)
    if (size === 0 || position + size > to) return -1
    const second = bytes[position + 1] as number
    if (second < lowestSecond(lead) || second > highestSecond(lead)) return -1
    for (let rest = 2; rest < size; rest++) {
      if (((bytes[position + rest] as number) & 0xc0) !== 0x80) return -1
    }
    // Two or three bytes are one unit; four are a surrogate pair.
    units -= size === 2 ? 1 : 2
    position += size
  }
  return units
}

function sequenceSize(lead: number): number {
  if (lead < 0xc2) return 0
  if (lead < 0xe0) return 2
  if (lead < 0xf0) return 3
  return lead < 0xf5 ? 4 : 0
}

/** After E0 and F0 a lower second byte would be overlong. */
function lowestSecond(lead: number): number {
  if (lead === 0xe0) return 0xa0
  return lead === 0xf0 ? 0x90 : 0x80
}

/** After ED a higher second byte would be a surrogate, after F4 a code point over U+10FFFF. */
function highestSecond(lead: number): number {
  if (lead === 0xed) return 0x9f
  return lead === 0xf4 ? 0x8f : 0xbf
}
