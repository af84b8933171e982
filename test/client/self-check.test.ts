import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { CheckRequest } from '../../protocol/index.ts'
import { digestOf, digestSteps } from '../../client/document-digest.ts'
import { compareStates, planHealing, type ServerState } from '../../client/state-difference.ts'
import { fold } from '../../src/log/fold.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { scanUpdate } from '../../src/update/update-scan.ts'
import { hex } from '../update/forged-update.ts'
import { RandomWorld } from '../update/random-world.ts'
import { HANDLE, OtherEditor, type OpenRequest, type ScriptedWire } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

/** Longer than any interval of the default. */
const LONG_MS = 90_000

/** A server that knows a document by its log alone. */
class ScannedLog {
  readonly index = new DocumentIndex()
  readonly updates: Uint8Array[] = []

  accept(update: Uint8Array): void {
    const scan = scanUpdate(update, this.index)
    if (scan.verdict !== 'valid') throw new Error(scan.message)
    this.index.apply(scan)
    this.updates.push(update)
  }

  fold(): void {
    const folded = fold({ snapshot: null, index: null, updates: this.updates })
    this.index.addDeletesOf(DocumentIndex.decode(folded.index))
  }

  get state(): ServerState {
    return { stateVector: this.index.stateVector(), deletions: this.index.deleteSetUpdate() }
  }
}

/** A copy that somebody has open, with its types in use, so that Yjs tidies up in them. */
class Copy {
  readonly doc: Y.Doc
  /** What Yjs did there by itself, which a writer sends to the server. */
  readonly own: Uint8Array[] = []

  constructor(gc: boolean) {
    this.doc = new Y.Doc({ gc })
    this.doc.getText('t')
    this.doc.getText('typed')
    this.doc.getMap('m')
    this.doc.getArray('a')
    this.doc.getXmlFragment('x')
    this.doc.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, { local }) => {
      if (local) this.own.push(update)
    })
  }
}

describe('digests', () => {
  test('[CHECK1] random documents: no false alarm, with or without garbage collection, for writers and readers; once tidied up, client and server have one digest', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = new RandomWorld(seed)
        const log = new ScannedLog()
        const writers = [new Copy(true), new Copy(false)]
        const readers = [new Copy(true), new Copy(false)]
        const accept = (update: Uint8Array): void => {
          log.accept(update)
          world.accept(update)
          for (const { doc } of [...writers, ...readers]) Y.applyUpdate(doc, update, 'server')
        }
        for (let step = 0; step < 25; step++) {
          accept(world.nextUpdate())
          for (const { own } of writers) for (const update of own.splice(0)) accept(update)
          if (world.random.chance(0.1)) log.fold()
        }
        for (let left = true; left;) {
          left = false
          for (const { own } of writers)
            for (const update of own.splice(0)) {
              left = true
              accept(update)
            }
        }
        for (const { doc } of readers)
          expect(planHealing(doc, compareStates(doc, log.state), 'read').message).toBeNull()
        for (const { doc } of writers) {
          const difference = compareStates(doc, log.state)
          const { message, upload } = planHealing(doc, difference, 'write')
          expect(message).toBeNull()
          if (difference.missingHere.size > 0) Y.applyUpdate(doc, log.state.deletions, 'server')
          if (upload !== null) accept(upload)
        }
        for (const { doc } of writers) expect(hex(digestOf(doc))).toBe(hex(log.index.digest()))
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 30) },
    )
  })

  test('[CHECK1] one more insert, one more deletion: another digest; the same bytes while nothing changes', () => {
    const doc = new Y.Doc()
    const log = new ScannedLog()
    doc.on('update', (update: Uint8Array) => log.accept(update))
    const seen = new Set<string>()
    const look = (): void => {
      expect(hex(log.index.digest())).toBe(hex(digestOf(doc)))
      seen.add(hex(log.index.digest()))
    }
    look()
    doc.getText('t').insert(0, 'hello')
    look()
    doc.getText('t').delete(0, 1)
    look()
    doc.getText('t').delete(2, 1)
    look()
    expect(seen.size).toBe(4)
    expect(log.index.digest()).toBe(log.index.digest())
  })
})

test('[CHECK1] the digest is that of Yjs’s own snapshot, in however many steps it is computed', () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, gc) => {
      const world = new RandomWorld(seed)
      const { doc } = new Copy(gc)
      for (let count = 0; count < 30; count++) {
        const update = world.nextUpdate()
        world.accept(update)
        Y.applyUpdate(doc, update)
      }
      const expected = createHash('sha256')
        .update(Y.encodeSnapshot(Y.snapshot(doc)))
        .digest('hex')
      for (const structsPerStep of [1, 7, 1_000_000]) {
        const steps = digestSteps(doc, structsPerStep)
        let result = steps.next()
        let count = 0
        for (; result.done !== true; result = steps.next()) count++
        expect(hex(result.value)).toBe(expected.slice(0, 32))
        const structs = [...doc.store.clients.values()].reduce((sum, { length }) => sum + length, 0)
        expect(count).toBe(Math.floor(structs / structsPerStep))
      }
    }),
    { numRuns: 50 },
  )
})

/** A provider in a document with some text, which the server has as well. */
function sceneWithText(
  options: Parameters<typeof scene>[0] & { access?: 'read' | 'write' } = {},
): Scene & { log: ScannedLog } {
  const { access = 'write', ...rest } = options
  const here = scene(rest)
  const log = new ScannedLog()
  const other = new OtherEditor()
  log.accept(other.type('hello world'))
  here.join({
    seq: 1,
    updates: [...log.updates],
    stateVector: other.stateVector,
    access,
  })
  return Object.assign(Object.create(here) as Scene, { log })
}

/** The check that the client makes at last. */
function takeCheck({ clock }: Scene, wire: ScriptedWire): OpenRequest<'check'> {
  clock.advance(LONG_MS)
  return wire.take('check')
}

const textDeletion = (log: ScannedLog, from: number, length: number): Uint8Array => {
  const doc = new Y.Doc()
  for (const update of log.updates) Y.applyUpdate(doc, update)
  let deletion = new Uint8Array()
  doc.once('update', (update: Uint8Array) => (deletion = new Uint8Array(update)))
  doc.getText('body').delete(from, length)
  return deletion
}

describe('the self-check', () => {
  test('[CHECK2] asks once after joining, at a quiet moment, and again only after a change', () => {
    const here = sceneWithText()
    const { clock, wire, log, type, doc } = here
    clock.advance(29_000)
    expect(wire.count('check')).toBe(0)
    const check = takeCheck(here, wire)
    expect(check.args).toEqual([
      HANDLE,
      { epoch: 'epoch-1', seq: 1, digest: log.index.digest() } satisfies CheckRequest,
    ])
    check.answer({ ok: true, result: 'same' })
    clock.advance(10 * LONG_MS)
    expect(wire.count('check')).toBe(0)
    type('!')
    clock.endTurn()
    // Not while a change has no acknowledgement.
    clock.advance(20_000)
    expect(wire.count('check')).toBe(0)
    wire.take('update').answer({ ok: true, seq: 2, entry: true })
    const again = takeCheck(here, wire).args[1]
    expect([again.seq, hex(again.digest)]).toEqual([2, hex(digestOf(doc))])
  })

  test('[CHECK2] a document of many structs is looked at in steps; a change meanwhile puts the check off', () => {
    const other = new Y.Doc()
    const cells = other.getMap('cells')
    // 120,000 structs: three steps.
    other.transact(() => {
      for (let cell = 0; cell < 120_000; cell++) cells.set(`${cell}`, cell)
    })
    const here = scene()
    const { doc, clock, type } = here
    const wire = here.join({
      seq: 1,
      updates: [Y.encodeStateAsUpdate(other)],
      stateVector: Y.encodeStateVector(other),
    })
    clock.advance(LONG_MS)
    clock.advance(20)
    expect(wire.count('check')).toBe(0)
    type('!')
    clock.endTurn()
    wire.take('update').answer({ ok: true, seq: 2, entry: true })
    clock.advance(1000)
    expect(wire.count('check')).toBe(0)
    clock.advance(LONG_MS)
    const { args } = wire.take('check')
    expect([args[1].seq, hex(args[1].digest)]).toEqual([2, hex(digestOf(doc))])
    here.provider.destroy()
    clock.endTurn()
    expect(clock.timers).toBe(0)
  })

  test('[CHECK2] with null there are no checks, and after the end none either', () => {
    const off = sceneWithText({ selfCheckIntervalMs: null })
    off.clock.advance(10 * LONG_MS)
    expect(off.wire.count('check')).toBe(0)
    const on = sceneWithText()
    on.provider.destroy()
    expect(on.clock.timers).toBe(0)
    expect(() => scene({ selfCheckIntervalMs: 1 })).toThrow('selfCheckIntervalMs is 1')
  })

  test('[CHECK2] an answer that comes after a change, or that the server has moved on, is none', () => {
    const here = sceneWithText()
    const { wire, log, doc, clock, events } = here
    const check = takeCheck(here, wire)
    const deletion = textDeletion(log, 0, 1)
    wire.relay(HANDLE, 2, 2, deletion)
    check.answer({ ok: true, result: 'different', ...log.state })
    expect(events.filter((event) => event.startsWith('error'))).toEqual([])
    takeCheck(here, wire).answer({ ok: true, result: 'moved' })
    log.accept(deletion)
    const third = takeCheck(here, wire)
    const { digest } = third.args[1]
    expect([hex(digest), hex(digestOf(doc))]).toEqual(Array(2).fill(hex(log.index.digest())))
    third.answer({ ok: true, result: 'same' })
    clock.advance(10 * LONG_MS)
    expect(wire.count('check')).toBe(0)
  })

  test('[CHECK3] T17 deletions that each side has and the other lacks are exchanged, told as an error, and to the server', () => {
    const here = sceneWithText()
    const { wire, log, doc, text, clock, events } = here
    // As after a restored backup: the same number stands for another deletion on each side.
    const [theirs, ours] = [textDeletion(log, 0, 6), textDeletion(log, 10, 1)]
    wire.relay(HANDLE, 2, 2, ours)
    log.accept(theirs)
    takeCheck(here, wire).answer({ ok: true, result: 'different', ...log.state })
    expect(text()).toBe('worl')
    expect(events.filter((event) => event.startsWith('error'))).toEqual(['error:state-diverged'])
    expect(here.provider.getSnapshot().error?.message).toContain(
      '1 deletions were missing here, 1 deletions were missing on the server',
    )
    clock.endTurn()
    const upload = wire.take('update')
    log.accept(upload.args[1] as Uint8Array)
    upload.answer({ ok: true, seq: 3, entry: true })
    const check = takeCheck(here, wire)
    expect(check.args[1].healed).toBe(true)
    expect(hex(digestOf(doc))).toBe(hex(log.index.digest()))
    check.answer({ ok: true, result: 'same' })
    expect(events.filter((event) => event.startsWith('error'))).toHaveLength(1)
  })

  test('[CHECK3] where one side lacks changes, the client joins again without its cursor and uploads what is missing', () => {
    const here = sceneWithText()
    const { wire, log, clock, events, provider } = here
    const other = new OtherEditor()
    const foreign = other.type('only here')
    wire.relay(HANDLE, 2, 2, foreign)
    takeCheck(here, wire).answer({ ok: true, result: 'different', ...log.state })
    expect(events).toContain('error:state-diverged')
    clock.advance(1000)
    const join = wire.take('join')
    expect(join.args[0]).toMatchObject({ epoch: 'epoch-1' })
    expect(join.args[0]).not.toHaveProperty('seq')
    const { stateVector } = log.state
    join.answer({
      ok: true,
      document: HANDLE,
      epoch: 'epoch-1',
      seq: 2,
      head: 2,
      access: 'write',
      stateVector,
      updates: [log.state.deletions],
      limits: { updateBytes: 1e6, chunkBytes: 1e5, presenceBytes: 1000 },
    })
    const upload = wire.take('update')
    log.accept(upload.args[1] as Uint8Array)
    upload.answer({ ok: true, seq: 3, entry: true })
    expect(hex(digestOf(provider.doc))).toBe(hex(log.index.digest()))
    expect(takeCheck(here, wire).args[1].healed).toBe(true)
  })

  test('[CHECK1] what follows by itself is tidied up without an alarm', () => {
    const here = sceneWithText()
    const { wire, log, doc, clock, events } = here
    // Two set one key at once: each replica deletes the loser, and no update says so.
    const [one, two] = [new Y.Doc(), new Y.Doc()]
    one.getMap('m').set('key', 1)
    two.getMap('m').set('key', 2)
    for (const [index, peer] of [one, two].entries()) {
      const update = Y.encodeStateAsUpdate(peer)
      log.accept(update)
      wire.relay(HANDLE, 2 + index, 2 + index, update)
    }
    expect(hex(digestOf(doc))).not.toBe(hex(log.index.digest()))
    takeCheck(here, wire).answer({ ok: true, result: 'different', ...log.state })
    clock.endTurn()
    const upload = wire.take('update')
    log.accept(upload.args[1] as Uint8Array)
    upload.answer({ ok: true, seq: 4, entry: true })
    expect(hex(digestOf(doc))).toBe(hex(log.index.digest()))
    expect(events.filter((event) => event.startsWith('error'))).toEqual([])
  })

  test('[CHECK1] a reader heals itself and sends nothing', () => {
    const here = sceneWithText({ access: 'read' })
    const { wire, log, clock, text } = here
    log.accept(textDeletion(log, 0, 6))
    takeCheck(here, wire).answer({ ok: true, result: 'different', ...log.state })
    expect(text()).toBe('world')
    clock.advance(1000)
    expect(wire.count('update')).toBe(0)
  })
})
