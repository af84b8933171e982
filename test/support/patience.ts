import { vi } from 'vitest'

/** For what is to happen: how long a machine under load may take, not how long it should. */
export const PATIENCE_MS = 120_000

/** Until the check passes; its last failure when it does not. */
export function eventually<Result>(check: () => Result): Promise<Awaited<Result>> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 10 }) as Promise<Awaited<Result>>
}
