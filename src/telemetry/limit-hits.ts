import type { Counter } from 'prom-client'
import type { Logger } from './logger.ts'

/** Most limits speak for themselves in the metric; of this one an operator has to know what it may be. */
const NOTES: Readonly<Record<string, string>> = {
  maxConnectionsPerAddress:
    'behind a reverse proxy all clients have its address, unless trustedProxies says how many there are',
}

/** Counts what limits refuse, hold back and end, and writes into the log the first time that each is reached. */
export function limitHits(counter: Counter<'limit'>, logger: Logger): (limit: string) => void {
  const reached = new Set<string>()
  return (limit) => {
    counter.inc({ limit })
    if (reached.has(limit)) return
    reached.add(limit)
    const note = NOTES[limit]
    logger.warn('a limit was reached; from now on y_rooms_limit_hits_total tells how often', {
      limit,
      ...(note === undefined ? {} : { note }),
    })
  }
}
