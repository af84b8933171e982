import { readFileSync } from 'node:fs'

/** Clock ticks of processor time that the host gave to other machines, of all cores; null where nobody tells. */
function stolenTicks() {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/ +/).map(Number)
    return { stolen: ticks[7], all: ticks.slice(0, 8).reduce((sum, value) => sum + value, 0) }
  } catch {
    return null
  }
}

/** Starts to watch; the answer tells which share of what this machine should have had went elsewhere. */
export function watchDisturbance() {
  const before = stolenTicks()
  return () => {
    const after = stolenTicks()
    if (before === null || after === null || after.all === before.all) return 0
    return (after.stolen - before.stolen) / (after.all - before.all)
  }
}
