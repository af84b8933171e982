import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { storeDocument } from '../documents.mjs'
import { levelStorage } from '../product.mjs'

const bin = fileURLToPath(new URL('../../dist/src/bin.cjs', import.meta.url))

/** `y-rooms serve` on a directory that has a document in it from the start. */
export function startApps(directory) {
  let server
  return {
    async serve(name, update) {
      const storage = levelStorage(directory)
      await storage.open()
      const bytes = await storeDocument(storage, name, update)
      await storage.close()
      server = spawn(process.execPath, [bin, 'serve', '--port', '0', '--data', directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = await once(server.stdout, 'data')
      return { url: /http:\S+/.exec(String(line))[0], bytes }
    },
    async close() {
      if (server === undefined) return
      const exited = once(server, 'exit')
      server.kill()
      await exited
    },
  }
}
