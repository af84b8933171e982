import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { RecentEntries } from '../../src/document/recent-entries.ts'
import { Room, type Listener } from '../../src/document/room.ts'
import type { UpdateMessage } from '../../src/document/update-message.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { updateOf } from '../support/raw-client.ts'

class Ear implements Listener {
  readonly messages: UpdateMessage[] = []
  handleUpdate(message: UpdateMessage): void {
    this.messages.push(message)
  }
  readonly skipped: number[] = []
  ended: string | null = null
  handleSkipped(head: number): void {
    this.skipped.push(head)
  }
  readonly presence: Uint8Array[] = []
  handlePresence(update: Uint8Array): void {
    this.presence.push(update)
  }
  handleEnd(error: { code: string }): void {
    this.ended = error.code
  }
}

function scene(recentBytes = 10_000) {
  const clock = new ManualClock()
  let recent = new RecentEntries(recentBytes, 0)
  const room = new Room(clock, 16, () => recent, silentLogger)
  const doc = new Y.Doc()
  const commit = (origin: object | null = null): void => {
    const update = updateOf(doc, () => doc.getText('body').insert(0, 'x'))
    recent.push({ seq: recent.head + 1, update, origin })
    room.schedule()
  }
  const replaceRecent = (entries: RecentEntries): void => {
    recent = entries
  }
  return { clock, recent, room, doc, commit, replaceRecent }
}

describe('a room', () => {
  test('[PRES12] a large presence message reaches its members in slices, each member every message in order', () => {
    const { clock, room } = scene()
    const ears = Array.from({ length: 10 }, () => new Ear())
    for (const ear of ears) room.add(ear)
    const told = (): number[] => ears.map(({ presence }) => presence.length)
    const large = new Uint8Array(256 * 1024)
    room.sendPresence(large, null)
    expect(told()).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    // Somebody leaves, somebody comes (and got all presence with the join).
    room.remove(ears[9]!)
    const late = new Ear()
    room.add(late)
    clock.endTurn()
    expect(told()).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    // The next message waits for nobody, and overtakes nobody.
    const small = new Uint8Array(10)
    room.sendPresence(small, null)
    expect(told()).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 0])
    for (const { presence } of ears.slice(0, 9))
      expect([presence[0] === large, presence[1] === small]).toEqual([true, true])
    expect(late.presence).toEqual([small])
    clock.endTurn()
    clock.endTurn()
    expect(told()).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 0])
    room.sendPresence(large, null)
    room.close()
    clock.endTurn()
    expect(ears[8]!.presence).toHaveLength(2)
  })

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

  test('[RELAY2] a crowd is relayed together with the write that is about to end, and what just missed a relay does not wait for a whole interval more', () => {
    const { clock, room, commit } = scene()
    const ears = Array.from({ length: 16 }, () => new Ear())
    for (const ear of ears) room.add(ear)
    const told = (): number => ears[0]!.messages.length
    commit()
    expect([told(), room.neededAt - clock.now()]).toEqual([1, expect.closeTo(16.67)])
    // Durable long before it is due: it waits for the write that ends about then.
    clock.advance(5)
    commit()
    clock.advance(9)
    expect(told()).toBe(1)
    clock.advance(1)
    commit()
    expect(ears[0]!.messages.map(({ from, to }) => [from, to])).toEqual([
      [1, 1],
      [2, 3],
    ])
    // No write comes: a little later it goes by itself.
    clock.advance(1)
    commit()
    clock.advance(16)
    expect(told()).toBe(2)
    clock.advance(2)
    expect(told()).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })

  test('[RELAY2] the interval grows with a large room, up to what a human would notice', () => {
    const { clock, room, commit } = scene()
    const intervalOf = (members: number): number => {
      while (room.size < members) room.add(new Ear())
      clock.advance(1000)
      commit()
      return room.neededAt - clock.now()
    }
    expect([24, 120, 2000].map(intervalOf)).toEqual([17, 21, 60])
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

  test('[RELAY5] entries that are no longer in memory are announced, so that members read them from the log', () => {
    const { clock, room, commit, replaceRecent } = scene()
    const ear = new Ear()
    room.add(ear)
    commit()
    commit()
    // A fold and then a failed write: after reading again the entries in memory begin behind the snapshot.
    replaceRecent(new RecentEntries(10_000, 2))
    clock.advance(20)
    expect([ear.messages.length, ear.skipped]).toEqual([1, [2]])
    clock.advance(1000)
    expect(ear.skipped).toEqual([2])
  })

  test('[RELAY5] a member that fails is ended; the others hear everything', () => {
    const { room, commit } = scene()
    const [bad, good] = [new Ear(), new Ear()]
    bad.handleUpdate = () => {
      throw new Error('an observer threw')
    }
    room.add(bad)
    room.add(good)
    commit()
    expect([bad.ended, good.messages.length, room.size]).toEqual(['internal-error', 1, 1])
  })

  test('[RELAY2] a clock that is set back delays a relay by no more than an interval', () => {
    const { clock, room, commit } = scene()
    const ear = new Ear()
    room.add(ear)
    commit()
    clock.setBack(3_600_000)
    commit()
    clock.advance(20)
    expect(ear.messages).toHaveLength(2)
  })

  test('[RELAY3] dropped entries hold no bytes', () => {
    const { clock, room, recent, commit } = scene(0)
    room.add(new Ear())
    for (let index = 0; index < 10; index++) commit()
    clock.advance(20)
    expect([recent.bytes, recent.since, recent.head]).toEqual([0, 10, 10])
    commit()
    expect(recent.after(10).map(({ seq }) => seq)).toEqual([11])
  })
})
