/**
 * Where the server says what happened. `console` fits, and so does pino with
 * `(fields, message)` swapped. Fields never contain document content or tokens.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>

const ignore = (): void => undefined

/** The default of an embedded server: the host application decides what is logged. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
