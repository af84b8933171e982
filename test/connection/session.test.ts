import { expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Outbox } from '../../src/connection/outbox.ts'
import type { Peer } from '../../src/connection/peer.ts'
import { Session } from '../../src/connection/session.ts'
import type { DocumentReader } from '../../src/document/document-reader.ts'
import type { OpenDocument } from '../../src/document/open-document.ts'
import { updateOf } from '../support/raw-client.ts'

test('[RELAY5] a member that is told of skipped entries gets them from the log at once, without waiting for the next edit', async () => {
  const update = updateOf(new Y.Doc(), (doc) => doc.getText('body').insert(0, 'x'))
  const document = {
    handle: 5,
    head: 9,
    room: { add: () => undefined },
    presence: { sentChanges: 0 },
  } as unknown as OpenDocument
  const asked: number[] = []
  const reader = {
    page: (_document: unknown, after: number) => {
      asked.push(after)
      return Promise.resolve({ seq: after === 3 ? 6 : 9, updates: [update] })
    },
  } as unknown as DocumentReader
  const outbox = { isCongested: false, whenDrained: (run: () => void) => run() }
  const sent: [number, number][] = []
  const peer = {
    outbox: outbox as unknown as Outbox,
    hasStragglers: false,
    sendUpdate: (_handle: number, { from, to }: { from: number; to: number }) =>
      sent.push([from, to]),
  } as unknown as Peer
  const session = new Session(peer, { document, release: () => undefined }, reader, 'write', 3)
  session.handleSkipped(9)
  await new Promise((resolve) => setImmediate(resolve))
  expect(asked).toEqual([3, 6])
  expect(sent).toEqual([
    [4, 6],
    [7, 9],
  ])
  // What it has already it is not sent again.
  session.handleSkipped(9)
  await new Promise((resolve) => setImmediate(resolve))
  expect(sent).toHaveLength(2)
})
