import { DEFAULT_SCAN_LIMITS } from './update/scan-limits.ts'

type Unit =
  | 'ms'
  | 'bytes'
  | 'entries'
  | 'documents'
  | 'connections'
  | 'updates'
  | 'messages'
  | 'tokens'
  | 'questions'
  | 'requests'
  | 'structs'
  | 'types'
  | 'proxies'

interface NumberOption {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly unit: Unit
  readonly effect: string
}

/** Every tunable number with its default, range, unit and effect; docs/options.md is compared with it. */
export const NUMBER_OPTIONS = {
  commitIntervalMs: {
    default: 4,
    min: 0,
    max: 1000,
    unit: 'ms',
    effect:
      'A quiet server writes an update at once; a busy one begins a batch for the disk at most once per interval, or, from 2,000 updates a second on, per two. Longer ones cost less processor time, and acknowledge later.',
  },
  relayIntervalMs: {
    default: 4,
    min: 0,
    max: 1000,
    unit: 'ms',
    effect:
      'A document is relayed at once when quiet and at most once per interval when busy; the interval is a millisecond longer for each 24 members.',
  },
  presenceIntervalMs: {
    default: 50,
    min: 0,
    max: 5000,
    unit: 'ms',
    effect: 'The same for presence; only the latest state of each client is sent.',
  },
  presenceRefreshMs: {
    // Yjs editors drop a peer that was silent for 30 s, and a state is repeated after 1.5 times this at the latest.
    default: 12_000,
    min: 1000,
    max: 20_000,
    unit: 'ms',
    effect:
      'How often the server repeats presence that has not changed, so that a throttled background tab does not disappear.',
  },
  idleUnloadMs: {
    default: 30_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    effect:
      'How long a document without members stays in memory; one that was never written goes at once.',
  },
  recentBytes: {
    default: 256 * 1024,
    min: 0,
    max: 64 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Log entries kept in memory per open document, to answer returning clients without the disk.',
  },
  snapshotCacheBytes: {
    default: 64 * 1024 * 1024,
    min: 0,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Snapshot chunks kept in memory once they were asked for twice, shared by all joiners of all documents.',
  },
  compactAfterBytes: {
    default: 256 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The log after the snapshot is folded when it is longer than this and than half the snapshot.',
  },
  compactAfterEntries: {
    default: 2000,
    min: 1,
    max: 10_000_000,
    unit: 'entries',
    effect:
      'The log after the snapshot is folded when it has more entries than this; where the snapshot is larger than 48 KiB, in proportion to its size up to eight times as many, and from 16 MiB on this many for each 2 MiB.',
  },
  maxUpdateBytes: {
    default: 64 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect: 'The largest update that is accepted, in one message or in chunks.',
  },
  maxDocumentBytes: {
    // Its Y.Doc, which a worker makes for a fold and every reader for itself, takes 2 to 22 times as much.
    default: 256 * 1024 * 1024,
    min: 1024,
    max: 1024 ** 4,
    unit: 'bytes',
    effect:
      'The most that a document may have, its snapshot and the log after it together; then it takes deletions only, and refuses with `document-too-large`.',
  },
  maxHttpBodyBytes: {
    default: 256 * 1024 * 1024,
    min: 1024,
    max: 1024 ** 4,
    unit: 'bytes',
    effect:
      'The most that bodies of HTTP requests take in memory together, and again as much for the documents in answers; more are refused with `too-many-requests` and `Retry-After`. One alone may be larger.',
  },
  maxAttachmentBytes: {
    default: 8 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The largest image that is taken over HTTP beside a document (`attachmentsDirectory`); a larger one is refused with `attachment-too-large`.',
  },
  maxAttachmentBytesPerDocument: {
    default: 256 * 1024 * 1024,
    min: 1024,
    max: 1024 ** 4,
    unit: 'bytes',
    effect:
      'The most that the images of one document may have together; more are refused with `document-too-large`.',
  },
  maxStructsPerUpdate: {
    default: DEFAULT_SCAN_LIMITS.structs,
    min: 1,
    max: 100_000_000,
    unit: 'structs',
    effect:
      'The most structs, and the most deleted ranges, that one update may have; more are `malformed-update`.',
  },
  maxNesting: {
    default: DEFAULT_SCAN_LIMITS.nesting,
    min: 1,
    // Yjs throws at some 3000.
    max: 2000,
    unit: 'types',
    effect:
      'How deep types may nest in a document; an update that goes deeper is `malformed-update`.',
  },
  uploadResumeMs: {
    // A laptop that changes from one network to another, or a server behind a balancer that is replaced.
    default: 60_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    effect:
      'How long the part of a large update that has arrived is kept for a client that lost its connection.',
  },
  parkedUploadBytes: {
    default: 64 * 1024 * 1024,
    min: 0,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Such parts in memory, of all clients together; with more, the oldest is forgotten and sent again from its beginning.',
  },
  maxPresenceBytes: {
    default: 16 * 1024,
    min: 64,
    max: 1024 * 1024,
    unit: 'bytes',
    effect: 'The largest presence state of one client, as JSON.',
  },
  maxPresenceBytesPerDocument: {
    default: 4 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The presence of everybody in a document together; a joining client gets it in one answer.',
  },
  maxPendingBytes: {
    default: 64 * 1024 * 1024,
    min: 1024,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Accepted updates that wait for the disk; with more than this, further ones are refused with `storage-unavailable`.',
  },
  maxDocumentsPerConnection: {
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: 'documents',
    effect: 'How many documents one connection may have open.',
  },
  maxMessageBytes: {
    // As Socket.IO has it.
    default: 1_000_000,
    // A chunk as base64 over long polling, and what is around it.
    min: 512 * 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The largest message of a client; with a larger one its connection ends. Only when attached to an HTTP server.',
  },
  maxConnectionsPerAddress: {
    // Several floors behind one address; some 15 kB each.
    default: 5000,
    min: 1,
    max: 10_000_000,
    unit: 'connections',
    effect:
      'Connections open at once from one address (of IPv6 its first 64 bits); more are refused with `too-many-connections`. Behind a reverse proxy set `trustedProxies`, or all have one address.',
  },
  maxConnectionsPerUser: {
    // Tabs, devices, and some left over from lost networks.
    default: 500,
    min: 1,
    max: 10_000_000,
    unit: 'connections',
    effect:
      'Connections open at once of one user of `authenticate`; more are refused with `too-many-connections`.',
  },
  maxPendingAuthentications: {
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: 'questions',
    effect:
      'Connections that wait for `authenticate` at once; more are refused with `too-many-requests`, and come back.',
  },
  trustedProxies: {
    default: 0,
    min: 0,
    max: 10,
    unit: 'proxies',
    effect:
      'Reverse proxies in front of this server: so many addresses at the end of `X-Forwarded-For` were written by them, and the first of those is the client. 0: the header is not looked at. For Socket.IO; Express has `trust proxy`.',
  },
  updatesPerSecond: {
    // A person makes 20, a drawing hand 120, a program that waits for answers a few hundred.
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: 'updates',
    effect:
      'What one connection may send each second, updates and chunks, and five times as much at once. More is held back; who goes on without waiting for answers is closed with `too-many-requests`.',
  },
  bytesPerSecond: {
    default: 16 * 1024 * 1024,
    min: 1024,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect: 'The same for the bytes of updates and chunks.',
  },
  presencePerSecond: {
    default: 200,
    min: 1,
    max: 1_000_000,
    unit: 'messages',
    effect: 'The same for presence; of what is held back only the latest state counts.',
  },
  tokensPerMinute: {
    default: 60,
    min: 1,
    max: 1_000_000,
    unit: 'tokens',
    effect:
      'How many new tokens one connection may show; more are refused with `too-many-requests`.',
  },
  httpRequestsPerMinute: {
    default: 6000,
    min: 1,
    max: 1_000_000_000,
    unit: 'requests',
    effect:
      'Requests from one address to `documents.router()`; more are refused with `too-many-requests` and `Retry-After`.',
  },
  outboxSoftBytes: {
    default: 1024 * 1024,
    min: 16 * 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'A connection with more unsent bytes than this gets no relays and no large answers until it has read nearly all; then it is brought up to date.',
  },
  outboxHardBytes: {
    default: 16 * 1024 * 1024,
    min: 64 * 1024,
    max: 4 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'A connection with more unsent bytes than this, the largest message left out, is closed; its client comes back.',
  },
  outboxStallMs: {
    default: 30_000,
    min: 1000,
    max: 600_000,
    unit: 'ms',
    effect:
      'A connection that read nothing for this long while bytes wait is closed; its client comes back. So is one that takes nothing of an answer of `documents.router()`.',
  },
  pingIntervalMs: {
    default: 20_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    effect:
      'How often the server asks a connection whether it is alive. Only when attached to an HTTP server.',
  },
  pingTimeoutMs: {
    default: 20_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    effect: 'How long it waits for the answer. Only when attached to an HTTP server.',
  },
  hookTimeoutMs: {
    default: 10_000,
    min: 10,
    max: 600_000,
    unit: 'ms',
    effect:
      'How long `authenticate`, `authorize` or `beforeUpdate` may take; then the request that asked is refused with `internal-error`.',
  },
  joinTimeoutMs: {
    default: 60_000,
    min: 1000,
    max: 86_400_000,
    unit: 'ms',
    effect: 'A connection that is in no document for this long is closed.',
  },
  expiryWarningMs: {
    default: 30_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    effect:
      'How long before its credentials end a client is told; a fifth of the time that they have left, if that is less.',
  },
  closeTimeoutMs: {
    default: 5000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    effect:
      'The longest that close() takes: most of it for writes under way, the rest to release storage and threads.',
  },
} as const satisfies Record<string, NumberOption>

export type NumberOptionName = keyof typeof NUMBER_OPTIONS
