import type { RequestHandler } from 'express'
import type { Clock } from '../clock.ts'

/** Some milliseconds of work. */
const REQUESTS_PER_TURN = 4

/** Takes a few requests in one turn of the event loop, in their order: a hundred that come at once must not make keystrokes wait for all of them. */
export function takeTurns(clock: Clock): RequestHandler {
  const waiting: (() => void)[] = []
  let left = REQUESTS_PER_TURN
  const take = (go: () => void): void => {
    if (left-- === REQUESTS_PER_TURN) clock.afterTurn(nextTurn)
    go()
  }
  const nextTurn = (): void => {
    left = REQUESTS_PER_TURN
    while (left > 0 && waiting.length > 0) take(waiting.shift() as () => void)
  }
  return (_request, response, next) => {
    if (left > 0 && waiting.length === 0) take(next)
    else
      waiting.push(() => {
        if (!response.destroyed) next()
      })
  }
}
