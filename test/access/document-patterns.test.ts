import { expect, test } from 'vitest'
import type { DocumentName } from '../../protocol/index.ts'
import { accessByPatterns, isDocumentPatterns } from '../../src/access/document-patterns.ts'

const cases: [name: string, patterns: Record<string, 'none' | 'read' | 'write'>, access: string][] =
  [
    ['draft', {}, 'none'],
    ['draft', { draft: 'read' }, 'read'],
    ['draft', { Draft: 'read' }, 'none'],
    ['draft', { '*': 'write' }, 'write'],
    ['draft', { 'draft*': 'write' }, 'write'],
    ['draft/1', { draft: 'write' }, 'none'],
    ['drafts/a/b', { 'drafts/*': 'read' }, 'read'],
    ['my-drafts/a', { 'drafts/*': 'read' }, 'none'],
    ['team/a/notes', { 'team/*/notes': 'write', 'team/*': 'read' }, 'write'],
    ['team/notes', { 'team/*/notes': 'write' }, 'none'],
    ['abab', { 'ab*ab': 'write' }, 'write'],
    ['aba', { 'ab*ba': 'write' }, 'none'],
    ['a-x-b-x-c', { 'a*x*x*c': 'write' }, 'write'],
    // The written name wins over any pattern, the longer pattern over the shorter.
    ['secret', { '*': 'write', 'secre*': 'write', secret: 'none' }, 'none'],
    ['drafts/x', { '*': 'none', 'drafts/*': 'write' }, 'write'],
    // Equally long: whatever allows less, in either order.
    ['ab', { 'a*': 'write', '*b': 'read' }, 'read'],
    ['ab', { '*b': 'read', 'a*': 'write' }, 'read'],
    ['a.c', { 'a?c': 'write', 'a.*': 'read' }, 'read'],
    ['*', { '*': 'none', '**': 'write' }, 'none'],
    ['constructor', {}, 'none'],
  ]

test.each(cases)('[ACC2] %s with %j: %s', (name, patterns, access) => {
  expect(accessByPatterns(patterns, name as DocumentName)).toBe(access)
})

test('[ACC2] what is no pattern list is none', () => {
  for (const value of [null, 'write', [], ['a'], { a: 'admin' }, { a: true }, 7])
    expect(isDocumentPatterns(value)).toBe(false)
})

test('[ACC2] a pattern made to be slow is not', () => {
  const patterns = Object.fromEntries([[`${'*a'.repeat(8000)}*b`, 'write' as const]])
  // Backtracking would not come to an end here.
  expect(accessByPatterns(patterns, 'a'.repeat(512) as DocumentName)).toBe('none')
})
