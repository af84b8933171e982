/** How many hues Excalidraw gives to pointers, 10 degrees apart. */
const HUES = 37
/** Some of them take longer to be found; then the nearest so far will do. */
const MAX_TRIES = 400

/** An id whose pointer Excalidraw draws in about this colour: it takes the hue from the id and offers no other way. */
export function idForColor(clientId: number, color: string): string {
  const wanted = hueOf(color)
  let best = ''
  let bestDistance = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < MAX_TRIES && bestDistance > 5; attempt++) {
    const id = `${clientId}-${attempt}`
    const difference = Math.abs(excalidrawHue(id) - wanted)
    const distance = Math.min(difference, 360 - difference)
    if (distance >= bestDistance) continue
    best = id
    bestDistance = distance
  }
  return best
}

function excalidrawHue(id: string): number {
  let hash = 0
  for (const character of id) hash = (hash << 5) - hash + character.charCodeAt(0)
  return (Math.abs(hash) % HUES) * 10
}

/** Of `#rrggbb`, in degrees. */
function hueOf(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    Number.parseInt(color.slice(at, at + 2), 16),
  )
  const [max, min] = [Math.max(red, green, blue), Math.min(red, green, blue)]
  if (max === min) return 0
  const sector =
    max === red
      ? (green - blue) / (max - min)
      : max === green
        ? 2 + (blue - red) / (max - min)
        : 4 + (red - green) / (max - min)
  return (sector * 60 + 360) % 360
}
