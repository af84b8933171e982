import type { CheckAnswer, CheckRequest } from '../../protocol/index.ts'
import type { OpenDocument } from '../document/open-document.ts'
import { DocumentError } from '../errors.ts'

/** Hears how the copies of clients compare with the server's. */
export interface CheckObserver {
  handleChecked(result: CheckAnswer['result']): void
  /** A client had diverged and is whole again. */
  handleHealed(document: string): void
}

/** Whether a client's copy is the server's; when it is another one, what the client needs to find out where. */
export function checkState(
  document: OpenDocument,
  { epoch, seq, digest, healed }: CheckRequest,
  observer: CheckObserver,
): CheckAnswer {
  if (epoch !== document.epoch)
    throw new DocumentError('document-reset', 'the document has another epoch')
  if (healed === true) observer.handleHealed(document.name)
  const isSame = document.isSame(seq, digest)
  const result = isSame === null ? 'moved' : isSame ? 'same' : 'different'
  observer.handleChecked(result)
  if (result !== 'different') return { ok: true, result }
  const { index } = document
  return {
    ok: true,
    result,
    stateVector: index.stateVector(),
    deletions: index.deleteSetUpdate(),
  }
}
