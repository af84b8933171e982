import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Starts benchmarks/inside-server.mjs on a directory. Questions are asked one at a time. */
export async function startServerProcess(directory, options = {}, nodeArguments = []) {
  const child = fork(
    fileURLToPath(new URL('inside-server.mjs', import.meta.url)),
    [JSON.stringify({ directory, options })],
    { execArgv: nodeArguments },
  )
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  exited.catch(() => undefined)
  const next = () =>
    Promise.race([new Promise((resolve) => child.once('message', resolve)), exited]).then(
      ({ answer }) => answer,
    )
  const port = await next()
  const ask = async (question, argument) => {
    const answered = next()
    child.send({ question, argument })
    return answered
  }
  return {
    url: `http://127.0.0.1:${port}`,
    ask,
    async close() {
      const ended = once(child, 'exit')
      await ask('close')
      await ended
    },
  }
}
