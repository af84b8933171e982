/** Often enough to see somebody arrive; the answer costs the server a millisecond. */
const ASK_EVERY_MS = 5000

/** Shows how many people and documents are here now, from the server's public metrics: numbers, never names. */
export function showLiveCounts(place: HTMLElement): void {
  const show = async (): Promise<void> => {
    // Nobody looks at a hidden page.
    if (document.hidden) return
    const counts = await askCounts().catch(() => null)
    place.hidden = counts === null
    const text = counts === null ? '' : sentence(counts)
    // A status that is written anew is spoken anew.
    if (place.textContent !== text) place.textContent = text
  }
  void show()
  setInterval(() => void show(), ASK_EVERY_MS)
  document.addEventListener('visibilitychange', () => void show())
}

interface Counts {
  readonly people: number
  readonly documents: number
}

async function askCounts(): Promise<Counts | null> {
  const answer = await fetch('/metrics')
  if (!answer.ok) return null
  const text = await answer.text()
  const people = gauge(text, 'y_rooms_connections')
  const documents = gauge(text, 'y_rooms_open_documents')
  return people === null || documents === null ? null : { people, documents }
}

function gauge(metrics: string, name: string): number | null {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)
  return found === null ? null : Number(found[1])
}

function sentence({ people, documents }: Counts): string {
  if (people === 0) return 'Nobody is here yet'
  return `${plural(people, 'person', 'people')} in ${plural(documents, 'document', 'documents')} now`
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
