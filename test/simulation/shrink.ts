import { CALM_NETWORK, type Action, type Story } from './story.ts'

/**
 * A shorter story that still goes wrong: actions are left out, many at a time at first, and what remains is made calmer. Anything
 * that goes wrong counts, not only what went wrong at first.
 */
export async function shrink(
  story: Story,
  goesWrong: (story: Story) => Promise<boolean>,
): Promise<Story> {
  let best = story
  const accept = async (candidate: Story): Promise<boolean> => {
    const isWrong = await goesWrong(candidate)
    if (isWrong) best = candidate
    return isWrong
  }
  for (let before = Infinity; best.actions.length < before;) {
    before = best.actions.length
    for (let size = Math.ceil(before / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < best.actions.length;)
        if (!(await accept({ ...best, actions: without(best.actions, at, size) }))) at += size
  }
  for (const calmer of calmerThan(best)) await accept({ ...best, ...calmer })
  for (let at = 0; at < best.actions.length; at++)
    await accept({ ...best, actions: withPause(best.actions, at, 0) })
  return best
}

function without(actions: readonly Action[], at: number, count: number): readonly Action[] {
  return [...actions.slice(0, at), ...actions.slice(at + count)]
}

function withPause(actions: readonly Action[], at: number, afterMs: number): readonly Action[] {
  return actions.map((action, index) => (index === at ? { ...action, afterMs } : action))
}

function calmerThan(story: Story): Partial<Story>[] {
  const { server } = story
  return [
    ...(story.devices === undefined ? [] : [{ devices: { ...story.devices, latencyMs: 0 } }]),
    { network: CALM_NETWORK },
    { diskLatencyMs: 1 },
    { outboxSoftBytes: 1_000_000 },
    { server: { ...server, workerError: 0 } },
    { server: { ...server, compactAfterEntries: 2000 } },
    { server: { ...server, commitIntervalMs: 0, relayIntervalMs: 0, presenceIntervalMs: 0 } },
  ]
}
