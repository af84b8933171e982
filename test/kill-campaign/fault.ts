export type FaultKind =
  | 'acknowledged-lost'
  | 'seen-lost'
  | 'not-whole'
  | 'foreign-content'
  | 'epoch-changed'
  | 'sequence-went-back'
  | 'deleted-came-back'
  | 'did-not-start'
  | 'did-not-end'
  | 'did-not-converge'
  | 'refused'
  | 'logged-error'
  | 'died-unasked'
  | 'stuck'
  | 'defect-of-the-campaign'

/** A promise that was not kept. */
export class Fault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string) {
    super(message)
    this.kind = kind
  }
}
