import { StorageError } from '../errors.ts'

/** Says which call failed, for the message: `reading document "a"`. */
export function storageError(error: unknown, doing: string): StorageError {
  if (error instanceof StorageError) return error
  const reason = reasonOf(error)
  return levelCode(error) === 'LEVEL_CORRUPTION'
    ? new StorageError('record-damaged', `LevelDB found damage while ${doing}: ${reason}`, {
        cause: error,
      })
    : new StorageError('storage-unavailable', `LevelDB failed while ${doing}: ${reason}`, {
        cause: error,
      })
}

/** The innermost LevelDB code: a failed `open` wraps the one that tells. */
export function levelCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return levelCode(error.cause) ?? (error as NodeJS.ErrnoException).code
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}
