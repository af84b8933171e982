import { describe, expect, test } from 'vitest'
import { Presence, type PresenceOptions, type PresenceOwner } from '../../src/document/presence.ts'
import { decodePresence, encodePresence, type PresenceState } from '../support/awareness-message.ts'
import { ManualClock } from '../support/manual-clock.ts'

const HOUR_MS = 3_600_000

function scene(options: Partial<PresenceOptions> = {}) {
  const clock = new ManualClock()
  const sent: PresenceState[][] = []
  const presence = new Presence({
    clock,
    intervalMs: 50,
    refreshMs: 20_000,
    maxStateBytes: 1000,
    maxDocumentBytes: 4000,
    send: (update) => sent.push(decodePresence(update)),
    memberCount: () => 2,
    ...options,
  })
  const owner: PresenceOwner = { user: null, hasClientId: () => true }
  const announce = (clientId: number, state: PresenceState['state']): void =>
    presence.handleUpdate(owner, encodePresence({ clientId, clock: 1, state }))
  return { clock, sent, presence, owner, announce }
}

describe('presence', () => {
  test('[PRES6] after the time of day is set back, a change is sent within the interval', () => {
    const { clock, sent, announce } = scene()
    announce(1, { at: 1 })
    clock.advance(0)
    expect(sent).toHaveLength(1)
    clock.setBack(HOUR_MS)
    announce(1, { at: 2 })
    clock.advance(52)
    expect(sent).toHaveLength(2)
    // The clock that peers compare rises all the same.
    expect(sent[1]![0]!.clock).toBeGreaterThan(sent[0]![0]!.clock)
  })

  test('T41 clocks rise across a restart of the server: peers that stayed would not see a lower one', () => {
    const before = scene()
    for (let at = 0; at < 5; at++) before.announce(1, { at })
    before.clock.advance(1000)
    const after = scene()
    after.clock.advance(2000)
    after.announce(1, { at: 5 })
    after.clock.advance(0)
    expect(after.sent[0]![0]!.clock).toBeGreaterThan(before.sent.at(-1)![0]!.clock)
  })

  test('[PRES6] a state that does not change is repeated before peers give it up, also when the time of day is set back', () => {
    const { clock, sent, announce } = scene()
    announce(1, { at: 1 })
    clock.advance(0)
    clock.advance(15_000)
    announce(2, { at: 2 })
    for (const setBackMs of [0, HOUR_MS]) {
      clock.setBack(setBackMs)
      for (const clientId of [1, 2]) {
        sent.length = 0
        clock.advance(30_000)
        expect(sent.flat().map((state) => state.clientId)).toContain(clientId)
      }
    }
  })

  test('[PRES7] all presence of a document is bounded together; who shrinks is heard, and who leaves makes room', () => {
    const { presence, owner, announce } = scene()
    const large = { text: 'x'.repeat(900) }
    for (const clientId of [1, 2, 3, 4]) announce(clientId, large)
    expect(() => announce(5, large)).toThrow(
      expect.objectContaining({ code: 'presence-too-large' }) as Error,
    )
    expect(presence.size).toBe(4)
    expect(presence.encodeAll()!.length).toBeLessThan(4000)
    announce(4, { text: '' })
    announce(5, { text: 'x'.repeat(800) })
    expect(presence.size).toBe(5)
    expect(() => announce(4, large)).toThrow(
      expect.objectContaining({ code: 'presence-too-large' }) as Error,
    )
    presence.removeClient(owner, 1)
    announce(4, large)
    expect(presence.size).toBe(4)
  })

  test('T43 [PRES11] ten thousand ids that come and go within an interval are no message, and leave nothing', () => {
    const { clock, sent, presence, owner, announce } = scene()
    announce(1, { here: true })
    clock.advance(0)
    for (let clientId = 2; clientId < 10_002; clientId++) {
      announce(clientId, { text: 'x'.repeat(500) })
      presence.removeClient(owner, clientId)
    }
    expect(presence.size).toBe(1)
    announce(1, { still: 'here' })
    clock.advance(52)
    // Nobody was told of them, so nobody is told that they left.
    expect(sent).toHaveLength(2)
    expect(sent[1]).toMatchObject([{ clientId: 1, state: { still: 'here' } }])
    // Neither a newcomer nor a refresh hears of them again.
    expect(decodePresence(presence.encodeAll()!).map(({ clientId }) => clientId)).toEqual([1])
    sent.length = 0
    clock.advance(60_000)
    expect(new Set(sent.flat().map(({ clientId }) => clientId))).toEqual(new Set([1]))
    presence.removeClient(owner, 1)
    clock.advance(60_000)
    expect([presence.size, presence.encodeAll(), clock.pendingTimers]).toEqual([0, null, 0])
  })

  test('T43 [PRES11] whoever was given a client id is told that it left, also when it was back in between', () => {
    const { clock, sent, presence, owner, announce } = scene()
    announce(1, { here: true })
    clock.advance(0)
    presence.removeClient(owner, 1)
    announce(1, { back: true })
    presence.removeClient(owner, 1)
    clock.advance(52)
    expect(sent[1]).toMatchObject([{ clientId: 1, state: null }])
    // A newcomer was given it with the answer to its join, before any message.
    announce(2, { here: true })
    expect(presence.encodeAll()).not.toBeNull()
    presence.removeClient(owner, 2)
    clock.advance(52)
    expect(sent[2]).toMatchObject([{ clientId: 2, state: null }])
  })

  test('[PRES7] empty states are bounded too', () => {
    const { presence, announce } = scene()
    expect(() => {
      for (let clientId = 1; clientId < 1000; clientId++) announce(clientId, {})
    }).toThrow(expect.objectContaining({ code: 'presence-too-large' }) as Error)
    expect(presence.size).toBeLessThan(100)
  })

  test('[PRES9] a member that missed messages hears who left meanwhile, and nobody who left before', () => {
    const { clock, sent, presence, owner, announce } = scene()
    for (const clientId of [1, 2, 3]) announce(clientId, { at: clientId })
    announce(1, null)
    clock.advance(0)
    expect(sent).toHaveLength(1)
    const told = presence.sentChanges
    presence.removeClient(owner, 2)
    // Not sent yet: who was told of what was sent does not know it.
    expect(presence.sentChanges).toBe(told)
    clock.advance(60)
    const missed = decodePresence(presence.encodeSince(told)!)
    expect(missed.map(({ clientId, state }) => [clientId, state])).toEqual([
      [3, { at: 3 }],
      [2, null],
    ])
    // Who came back is there.
    announce(2, { at: 4 })
    expect(decodePresence(presence.encodeSince(told)!).map(({ state }) => state)).toEqual([
      { at: 3 },
      { at: 4 },
    ])
    presence.removeClient(owner, 2)
    presence.removeClient(owner, 3)
    clock.advance(60)
    expect(presence.encodeSince(presence.sentChanges)).toBeNull()
  })

  test('T43 [PRES9] who left is remembered up to a bound', () => {
    const { presence, owner, announce } = scene()
    for (let clientId = 0; clientId < 3000; clientId++) {
      announce(clientId, {})
      // Somebody joins, and is shown who is there: whoever nobody was shown is not remembered at all.
      presence.encodeAll()
      presence.removeClient(owner, clientId)
    }
    expect(decodePresence(presence.encodeSince(0)!)).toHaveLength(1024)
  })
})
