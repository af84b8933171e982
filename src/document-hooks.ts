import type { GuardedHooks } from './access/hooks.ts'
import type { OpenDocumentOptions } from './document/open-document.ts'

/** What a document tells the application, where it wants to be told: nothing is parsed for nobody. */
export function documentHooks(
  hooks: GuardedHooks,
): Pick<OpenDocumentOptions, 'onCommitted' | 'onPresence'> {
  return {
    onCommitted: hooks.has('afterCommit')
      ? (document, entries, firstSeq) => {
          for (const [position, { author, receivedAt, update }] of entries.entries())
            hooks.tell('afterCommit', {
              document,
              seq: firstSeq + position,
              userId: author,
              acceptedAt: receivedAt,
              update,
            })
        }
      : null,
    onPresence: hooks.has('presence')
      ? (document, user, clientId, json) => {
          const state = json === null ? null : (JSON.parse(json) as Record<string, unknown>)
          hooks.tell('presence', { document, user, clientId, state })
        }
      : null,
  }
}
