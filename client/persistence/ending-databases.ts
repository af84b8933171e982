/** Persistences of this page that still store what waited when they were ended, by database. */
const endings = new Map<string, Promise<void>>()

/** Whoever opens the database next in this page reads it after this: else the last changes would be missing until it is opened once more. */
export function noteEnding(database: string, ending: Promise<void>): void {
  const before = endings.get(database)
  const all = Promise.allSettled([before, ending]).then(() => {
    if (endings.get(database) === all) endings.delete(database)
  })
  endings.set(database, all)
}

/** Resolves when nothing that was ended in this page writes to the database any more. */
export async function whenEnded(database: string): Promise<void> {
  await endings.get(database)
}
