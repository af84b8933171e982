import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What is alive in this process, without what only waits to be collected: bytes of the JavaScript heap and of buffers. */
export function liveBytes(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
