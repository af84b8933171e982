const GROWTH = 1.02
const SMALLEST_MS = 0.01
const BUCKETS = 900

/** Latencies within 2 %, in constant memory. */
export class Histogram {
  #counts = new Float64Array(BUCKETS)
  count = 0
  max = 0

  add(ms, times = 1) {
    const bucket = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH))
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
      if (left <= 0) return Math.min(SMALLEST_MS * GROWTH ** bucket, this.max)
    }
    return this.max
  }
}
