import type { SaveState } from 'y-rooms/client'
import type { Badge } from '../room/save-badge.ts'
import type { Notebook } from './notebook.ts'

/** From the best to the worst: many documents are as safe as the worst of them. */
const WORST_LAST: readonly SaveState[] = ['saved', 'saving', 'saved-locally', 'unsaved', 'rejected']

const BADGES: Readonly<Record<SaveState, Badge>> = {
  saved: { text: 'All changes saved', tone: 'good' },
  saving: { text: 'Saving…', tone: 'busy' },
  'saved-locally': { text: 'Saved on this device', tone: 'warning' },
  unsaved: { text: 'Not saved', tone: 'bad' },
  rejected: { text: 'Not saved', tone: 'bad' },
}

/** One badge for all documents of a page. */
export function summaryOf({ refusal, providers }: Notebook): Badge {
  if (refusal !== null) return { text: `Refused: ${refusal}`, tone: 'bad' }
  const worst = Math.max(...providers.map(({ saveState }) => WORST_LAST.indexOf(saveState)))
  return BADGES[WORST_LAST[worst] ?? 'unsaved']
}
