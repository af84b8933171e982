import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { RecentEntries } from '../../src/document/recent-entries.ts'
import { Room, type Listener } from '../../src/document/room.ts'
import type { UpdateMessage } from '../../src/document/update-message.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { updateOf } from '../support/raw-client.ts'

class Ear implements Listener {
  readonly messages: UpdateMessage[] = []
  handleUpdate(message: UpdateMessage): void {
    this.messages.push(message)
  }
  handlePresence(): void {}
  handleEnd(): void {}
}

function scene(recentBytes = 10_000) {
  const clock = new ManualClock()
  const recent = new RecentEntries(recentBytes, 0)
  const room = new Room(clock, 16, () => recent)
  const doc = new Y.Doc()
  const commit = (origin: object | null = null): void => {
    const update = updateOf(doc, () => doc.getText('body').insert(0, 'x'))
    recent.push({ seq: recent.head + 1, update, origin })
    room.schedule()
  }
  return { clock, recent, room, doc, commit }
}

describe('a room', () => {
  test('[RELAY2] relays at once when quiet, then everything of an interval in one message for all', () => {
    const { clock, room, doc, commit } = scene()
    const ears = [new Ear(), new Ear()]
    for (const ear of ears) room.add(ear)
    commit()
    expect(ears[0]!.messages.map(({ from, to }) => [from, to])).toEqual([[1, 1]])
    for (let index = 0; index < 200; index++) commit()
    expect(ears[0]!.messages).toHaveLength(1)
    clock.advance(20)
    expect(ears[0]!.messages.map(({ from, to }) => [from, to])).toEqual([
      [1, 1],
      [2, 201],
    ])
    // One object for every recipient: it is encoded once.
    expect(ears[1]!.messages[1]).toBe(ears[0]!.messages[1])
    const copy = new Y.Doc()
    for (const { update } of ears[1]!.messages) Y.applyUpdate(copy, update)
    expect(copy.getText('body').toString()).toBe(doc.getText('body').toString())
    clock.advance(1000)
    expect(clock.pendingTimers).toBe(0)
  })

  test('[RELAY2] names the author of a message only when all of it is one author’s', () => {
    const { clock, room, commit } = scene()
    const ear = new Ear()
    const [ada, ben] = [{}, {}]
    room.add(ear)
    commit(ada)
    commit(ada)
    commit(ada)
    clock.advance(20)
    commit(ada)
    commit(ben)
    clock.advance(20)
    expect(ear.messages.map(({ origin }) => origin)).toEqual([ada, ada, null])
  })

  test('[RELAY3] recent entries are bounded by bytes, and never lose what was not relayed', () => {
    const { clock, room, recent, commit } = scene(100)
    room.add(new Ear())
    for (let index = 0; index < 50; index++) commit()
    // Over the bound, but the room has not relayed them yet.
    expect(recent.since).toBe(0)
    clock.advance(20)
    expect(recent.bytes).toBeLessThanOrEqual(100)
    expect(recent.since).toBeGreaterThan(40)
    expect(recent.after(recent.since).map(({ seq }) => seq)[0]).toBe(recent.since + 1)
    expect(() => recent.after(recent.since - 1)).toThrow(RangeError)
  })
})
