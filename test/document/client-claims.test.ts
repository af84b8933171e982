import { expect, test } from 'vitest'
import { ClientClaims } from '../../src/document/client-claims.ts'

const KEY = 'the-key-of-one-document'

function owner() {
  const lost: number[] = []
  return { lost, handleClaimLost: (clientId: number) => void lost.push(clientId) }
}

test('T25 T41 [PRES10] a join that is answered after a newer one of the same client takes nothing over', () => {
  const claims = new ClientClaims()
  const [older, newer, newest] = [owner(), owner(), owner()]
  expect(claims.claim({ clientId: 1, key: KEY, attempt: 2 }, newer)).toBe(true)
  expect(claims.claim({ clientId: 1, key: KEY, attempt: 1 }, older)).toBe(false)
  expect(newer.lost).toEqual([])
  // Not even from itself, when both came over one connection.
  expect(claims.claim({ clientId: 1, key: KEY, attempt: 1 }, newer)).toBe(true)
  // Its late end changes nothing either.
  claims.release(1, older)
  expect(claims.claim({ clientId: 1, key: 'another-key-entirely', attempt: 9 }, older)).toBe(false)
  expect(claims.claim({ clientId: 1, key: KEY, attempt: 3 }, newest)).toBe(true)
  expect(newer.lost).toEqual([1])
})
