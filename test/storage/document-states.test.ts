import { describe, expect, test } from 'vitest'
import { DocumentStates, type DocumentState } from '../../src/storage/document-states.ts'

const stateWith = (seq: number): DocumentState => ({
  generation: 0,
  isWritten: true,
  snapshotSeq: 0,
  previousSeq: 0,
  seq,
  recordedSeq: 0,
  lostSeq: 0,
})

describe('document states', () => {
  test('the least recently used are forgotten, but none that is pinned', () => {
    const states = new DocumentStates(2, () => Promise.reject(new Error('not asked')))
    states.pin(['pinned'])
    states.set('pinned', stateWith(1))
    states.set('old', stateWith(2))
    states.set('used', stateWith(3))
    expect(states.peek('old')).toBeUndefined()
    states.set('new', stateWith(4))
    expect(['pinned', 'used', 'new'].map((name) => states.peek(name)?.seq)).toEqual([
      1,
      undefined,
      4,
    ])
    states.unpin(['pinned'])
    states.peek('new')
    states.set('newer', stateWith(5))
    expect(['pinned', 'new', 'newer'].map((name) => states.peek(name)?.seq)).toEqual([
      undefined,
      4,
      5,
    ])
  })

  test('T1 who asks at the same time learns once', async () => {
    let learnt = 0
    const states = new DocumentStates(2, async () => stateWith(++learnt))
    const seqs = (await Promise.all([states.get('a'), states.get('a')])).map(({ seq }) => seq)
    expect(seqs).toEqual([1, 1])
  })

  test('what was written while it was learnt is newer, and what was learnt across a clear is learnt again', async () => {
    const answers: ((state: DocumentState) => void)[] = []
    const states = new DocumentStates(2, () => new Promise((resolve) => answers.push(resolve)))
    const first = states.get('a')
    states.set('a', stateWith(7))
    answers[0]?.(stateWith(6))
    expect((await first).seq).toBe(7)

    states.clear()
    const across = states.get('a')
    states.clear()
    answers[1]?.(stateWith(8))
    await expect.poll(() => answers.length).toBe(3)
    answers[2]?.(stateWith(9))
    expect((await across).seq).toBe(9)
  })

  test('T11 what could not be learnt is not remembered', async () => {
    const outcomes = [() => Promise.reject(new Error('injected')), async () => stateWith(3)]
    const states = new DocumentStates(2, () => (outcomes.shift() as () => Promise<DocumentState>)())
    await expect(states.get('a')).rejects.toThrow('injected')
    expect((await states.get('a')).seq).toBe(3)
  })
})
