import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { RawClient, readDocument, updateOf } from '../support/raw-client.ts'
import { startServerProcess } from '../support/server-process.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'

/** How often the server is killed; a campaign raises it. */
const KILLS = Number(process.env['KILLS'] ?? 20)
const WRITERS = 4
const DOCUMENT = 'under-load'

describe('a killed server', () => {
  test(
    `T4 [ACK1] [RELAY1] ${KILLS} times SIGKILL under load: nothing acknowledged or seen is missing after the restart`,
    async () => {
      const directory = await makeTempDirectory()
      /** Every update that a writer was told is saved, or that a reader was shown. */
      const owed: Uint8Array[] = []
      const docs = Array.from({ length: WRITERS }, () => new Y.Doc())
      let acknowledged = 0
      let seen = 0
      for (let round = 0; round < KILLS; round++) {
        const server = await startServerProcess('kill-server.mjs', directory)
        const reader = await RawClient.connect(server.url)
        await reader.join(DOCUMENT, { clientId: 1 })
        let isUp = true
        const writing = docs.map(async (doc) => {
          const writer = await RawClient.connect(server.url)
          try {
            const { document, stateVector } = await writer.join(DOCUMENT, {
              clientId: doc.clientID,
            })
            // What the last kill took from the server, the client still has.
            await writer.update(document, Y.encodeStateAsUpdate(doc, new Uint8Array(stateVector)))
            while (isUp) {
              const update = updateOf(doc, () => {
                const text = doc.getText(String(doc.clientID))
                if (text.length > 20 && randomInt(3) === 0)
                  text.delete(randomInt(10), randomInt(10) + 1)
                text.insert(randomInt(text.length + 1), `${round} `)
              })
              const answer = await writer.socket
                .timeout(2000)
                .emitWithAck('update', document, update)
              if ((answer as { ok: boolean }).ok) {
                owed.push(update)
                acknowledged++
              }
            }
          } catch {
            // The server died under this request: nobody was told anything.
          } finally {
            writer.close()
          }
        })
        // Killed after a number of relays, not of milliseconds: every round gets under way on any machine.
        const relays = randomInt(5, 120)
        await reader.until(() => reader.updates.length >= relays)
        await server.kill()
        isUp = false
        reader.close()
        await Promise.all(writing)
        for (const { update } of reader.updates) {
          owed.push(update)
          seen++
        }

        const revived = await startServerProcess('kill-server.mjs', directory)
        const stored = Y.snapshot(await readDocument(revived.url, DOCUMENT))
        const missing = owed.filter((update) => !Y.snapshotContainsUpdate(stored, update))
        expect(missing, `round ${round}: updates that were owed`).toEqual([])
        await revived.kill()
      }
      expect(acknowledged).toBeGreaterThan(KILLS)
      expect(seen).toBeGreaterThan(KILLS)
    },
    60_000 + KILLS * 10_000,
  )
})
