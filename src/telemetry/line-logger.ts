import { inspect } from 'node:util'
import type { LogFields, Logger } from './logger.ts'

type Level = 'info' | 'warn' | 'error'

/**
 * One line per message: time, level, message, then the fields as `key=value`. Whatever a field
 * holds, it cannot start a line of its own. Debug messages are left out.
 */
export function lineLogger(write: (line: string) => void, now: () => number): Logger {
  const log = (level: Level) => (message: string, fields?: LogFields) => {
    const parts = [new Date(now()).toISOString(), level, singleLine(message)]
    for (const [key, value] of Object.entries(fields ?? {})) parts.push(`${key}=${format(value)}`)
    write(`${parts.join(' ')}\n`)
  }
  return { debug: () => undefined, info: log('info'), warn: log('warn'), error: log('error') }
}

/** The whole of an error, with its causes, since a line in a log is often all that is left of it. */
function format(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : singleLine(formatOther(value))
}

function formatOther(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(inspect(value))
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: true })
}

function singleLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ')
}
