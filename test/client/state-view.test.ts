import { expect, test } from 'vitest'
import { StateView } from '../../client/state-view.ts'

test('who asks for the state before its subscribers were told takes no change away from them', () => {
  let number = 1
  const view = new StateView(() => ({ number }))
  const told: number[] = []
  view.subscribe((state) => told.push(state.number))
  number = 2
  expect(view.current()).toEqual({ number: 2 })
  view.refresh()
  view.refresh()
  expect(told).toEqual([1, 2])
})

test('who subscribes before the others were told takes no change away from them', () => {
  let number = 1
  const view = new StateView(() => ({ number }))
  const first: number[] = []
  const second: number[] = []
  view.subscribe((state) => first.push(state.number))
  number = 2
  view.subscribe((state) => second.push(state.number))
  view.refresh()
  expect(first).toEqual([1, 2])
  expect(second).toEqual([2])
})

test('a change made by one of those who are told is the last that all of them hear of', () => {
  let number = 1
  const view = new StateView(() => ({ number }))
  const told: number[] = []
  view.subscribe((state) => {
    if (state.number !== 2) return
    number = 3
    view.refresh()
  })
  view.subscribe((state) => told.push(state.number))
  number = 2
  view.refresh()
  expect(told).toEqual([1, 3])
})

test('who leaves while others are told hears nothing more, and stays away', () => {
  let number = 1
  const view = new StateView(() => ({ number }))
  const told: number[] = []
  let leave = (): void => undefined
  view.subscribe((state) => {
    if (state.number === 2) leave()
  })
  leave = view.subscribe((state) => told.push(state.number))
  for (number of [2, 3]) view.refresh()
  expect(told).toEqual([1])
})
