/** The command line or the environment is wrong. The message is one sentence that names the culprit. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
