/** Buckets of one doubling: the upper bits of a float's mantissa, so that finding one takes no logarithm. */
const BITS_OF_MANTISSA = 6
/** Of a 64-bit float's upper word, whose last 20 bits are mantissa. */
const SHIFT = 20 - BITS_OF_MANTISSA
const SMALLEST_MS = 2 ** -7
/** From a hundredth of a millisecond to two minutes. */
const DOUBLINGS = 24
const BUCKETS = DOUBLINGS << BITS_OF_MANTISSA

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)
/** Where the upper half is. */
const UPPER = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0

function upperBits(ms) {
  float[0] = ms
  return words[UPPER] >>> SHIFT
}

const FIRST = upperBits(SMALLEST_MS)

function startOf(bucket) {
  float[0] = 0
  words[UPPER] = (FIRST + bucket) << SHIFT
  return float[0]
}

/** Latencies within 1.6 %, in constant memory. */
export class Histogram {
  #counts = new Float64Array(BUCKETS)
  count = 0
  max = 0

  add(ms, times = 1) {
    const bucket = ms > SMALLEST_MS ? upperBits(ms) - FIRST : 0
    this.#counts[Math.min(bucket, BUCKETS - 1)] += times
    this.count += times
    if (ms > this.max) this.max = ms
  }

  clear() {
    this.#counts.fill(0)
    this.count = this.max = 0
  }

  quantile(share) {
    let left = share * this.count
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket]
      if (left <= 0) return Math.min(startOf(bucket + 1), this.max)
    }
    return this.max
  }
}
