import type { Clock } from '../clock.ts'

/**
 * What an application's hook answers: at once if it has, else later, or a rejection when it takes longer than `limitMs`: a hook that hangs costs the one
 * request that asked it.
 */
export function withinTime<Result>(
  hook: string,
  answer: Result | PromiseLike<Result>,
  clock: Clock,
  limitMs: number,
): Result | Promise<Result> {
  if (!isPromiseLike(answer)) return answer
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(limitMs, () =>
      reject(new Error(`the hook ${hook} did not answer within ${limitMs} ms`)),
    )
    Promise.resolve(answer).finally(cancel).then(resolve, reject)
  })
}

function isPromiseLike<Result>(
  answer: Result | PromiseLike<Result>,
): answer is PromiseLike<Result> {
  return typeof answer === 'object' && answer !== null && 'then' in answer
}
