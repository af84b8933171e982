import {
  CommitLoop,
  levelStorage,
  NUMBER_OPTIONS,
  OpenDocument,
  silentLogger,
  systemClock,
} from './product.mjs'

/**
 * Accept, log and relay inside this process, over the same LevelDB directory and without sockets: where a cost that grows with the document
 * would have nothing to hide behind.
 */
export async function acceptCosts(directory, kinds, { rounds, keystrokes, window, median }) {
  const storage = levelStorage(directory)
  await storage.open()
  const nothing = () => undefined
  const commits = new CommitLoop(
    storage,
    systemClock,
    { handleBatchCommitted: nothing, handleBatchFailed: nothing, handlePartyFailed: nothing },
    { maxPendingBytes: Infinity, intervalMs: 0 },
  )
  const defaults = Object.fromEntries(
    Object.entries(NUMBER_OPTIONS).map(([name, rule]) => [name, rule.default]),
  )
  const scenes = []
  for (const [handle, { kind, keystrokes: updates }] of kinds.entries()) {
    const document = await OpenDocument.load({
      ...defaults,
      handle,
      name: kind,
      storage,
      commits,
      clock: systemClock,
      logger: silentLogger,
      onGrown: nothing,
    })
    let relays = 0
    document.room.add({
      handleUpdate: () => relays++,
      handleSkipped: nothing,
      handlePresence: nothing,
      handleEnd: nothing,
    })
    scenes.push({ kind, document, updates, sent: 0, costs: [] })
  }
  for (let round = 0; round <= rounds; round++)
    for (const scene of scenes) {
      const { user, system } = process.cpuUsage()
      const lane = async () => {
        do await scene.document.accept(scene.updates[scene.sent++], { origin: null, userId: null })
        while (scene.sent % keystrokes !== 0)
      }
      await Promise.all(Array.from({ length: window }, lane))
      const used = process.cpuUsage()
      if (round > 0) scene.costs.push((used.user - user + used.system - system) / keystrokes)
    }
  for (const { document } of scenes) document.close()
  await storage.close()
  const empty = median(scenes[0].costs)
  return scenes.map(({ kind, costs }) => ({
    document: kind,
    'in process, µs per keystroke': median(costs).toFixed(1),
    ratio: (median(costs) / empty).toFixed(2),
  }))
}
