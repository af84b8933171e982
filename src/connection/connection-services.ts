import type { Authorize } from '../access/access.ts'
import type { GuardedHooks } from '../access/hooks.ts'
import type { Clock } from '../clock.ts'
import type { DocumentReader } from '../document/document-reader.ts'
import type { DocumentRegistry } from '../document/document-registry.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { BulkPacer } from './bulk-pacer.ts'
import type { InboundLimits } from './inbound-paces.ts'
import type { ParkedUploads } from './parked-uploads.ts'
import type { CheckObserver } from './state-check.ts'

/** What all connections of a server share. */
export interface ConnectionServices extends InboundLimits {
  readonly registry: DocumentRegistry
  readonly reader: DocumentReader
  readonly pacer: BulkPacer
  readonly authorize: Authorize
  readonly hooks: GuardedHooks
  readonly clock: Clock
  readonly checks: CheckObserver
  readonly parkedUploads: ParkedUploads
  readonly logger: Logger
  readonly expiryWarningMs: number
  readonly joinTimeoutMs: number
  readonly maxUpdateBytes: number
  readonly maxPresenceBytes: number
  readonly maxDocumentsPerConnection: number
  readonly tokensPerMinute: number
  /** A limit held something back or ended it; `limit` is the option that sets it. */
  readonly handleLimitHit: (limit: string) => void
}
