import { expect, test } from 'vitest'
import { decideAccess, identify, reportingWrongAnswers } from '../../src/access/decisions.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

const SHOWN = { auth: {}, headers: {}, address: '127.0.0.1' }

/** A promise of another library: `then` answers another one of its kind. */
function foreign(value: unknown): never {
  const then = (resolve?: (value: unknown) => unknown): unknown =>
    resolve === undefined ? foreign(value) : foreign(resolve(value))
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it stands for
  return { then } as never
}

test('[ACC1] a hook that answers at once is answered for at once, a promise of whatever library is waited for', async () => {
  expect(identify(() => ({ id: 'ada' }), SHOWN, 0)).toEqual({ id: 'ada' })
  const asking = identify(() => foreign({ id: 'ada' }), SHOWN, 0)
  expect(asking).toBeInstanceOf(Promise)
  expect(await asking).toEqual({ id: 'ada' })
  await expect(identify(() => foreign(undefined), SHOWN, 0)).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  expect(() => identify(() => undefined as never, SHOWN, 0)).toThrow('refused')
})

test('[ACC1] what is none of the three words is no access, sooner or later', async () => {
  const authorizeWith = (answer: unknown) =>
    reportingWrongAnswers({ authorize: () => answer as never, logger: silentLogger })
  const decide = (answer: unknown): unknown =>
    decideAccess(authorizeWith(answer), null, 'paper' as never)
  expect(decide('read')).toBe('read')
  expect(decide(true)).toBe('none')
  const deciding = decide(foreign(true))
  expect(deciding).toBeInstanceOf(Promise)
  expect(await deciding).toBe('none')
  expect(await decide(Promise.resolve('write'))).toBe('write')
})
