import { readFileSync } from 'node:fs'

const KIB = 1024

/** Resident memory of this process without files that are mapped into it, which are the kernel's to drop; all of it where nobody tells. */
export function anonymousBytes() {
  try {
    return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * KIB
  } catch {
    return process.memoryUsage.rss()
  }
}
