import type { AccessChange, Closed, DocumentHandle, JoinRequest } from '../protocol/index.ts'
import type { CancelTimer, Clock } from './clock.ts'
import type { ProviderError } from './provider-error.ts'
import { noAnswer } from './read-answer.ts'
import { UploadTurns } from './upload-turns.ts'
import type { Notices, Outcome, RequestName, Requests, Wire } from './wire.ts'

/** One Y.Doc in one document of the server, as the channel's events reach it. */
export interface ChannelMember {
  handleUpdate(from: number, to: number, update: Uint8Array): void
  handleAwareness(update: Uint8Array): void
  handleClosed(closed: Closed): void
  handleAccess(change: AccessChange): void
}

/**
 * A server under load may hold an acknowledgement back while its disk catches up. Longer than this
 * and asking again is better than waiting: everything asked here may be asked twice.
 */
const ANSWER_TIMEOUT_MS = 30_000

/**
 * An open wire, shared by all documents of a connection: requests with a deadline, events to whom
 * they belong. It lives as long as the wire; afterwards every call does nothing, and no answer comes.
 */
export class Channel {
  /** Brings a newer token to the server; resolves with null, or with what is in the way. */
  readonly renewToken: () => Promise<ProviderError | null>
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #members = new Map<DocumentHandle, Set<ChannelMember>>()
  /** Memberships by client id that exist or are asked for, of all Y.Docs on this wire. */
  readonly #claims = new Map<string, number>()
  readonly #deadlines = new Set<CancelTimer>()
  readonly uploadTurns = new UploadTurns()
  #isOpen = true
  #lastUpload = 0

  constructor(wire: Wire, clock: Clock, renewToken: Channel['renewToken']) {
    this.#wire = wire
    this.#clock = clock
    this.renewToken = renewToken
  }

  request<Name extends RequestName>(
    name: Name,
    args: Requests[Name]['arguments'],
    handleAnswer: (outcome: Outcome<Name>) => void,
  ): void {
    if (!this.#isOpen) return
    let isAnswered = false
    const settle = (outcome: Outcome<Name>): void => {
      if (isAnswered || !this.#isOpen) return
      isAnswered = true
      cancelDeadline()
      this.#deadlines.delete(cancelDeadline)
      handleAnswer(outcome)
    }
    const cancelDeadline = this.#clock.setTimer(ANSWER_TIMEOUT_MS, () =>
      settle(noAnswer(`no answer to ${name} within ${ANSWER_TIMEOUT_MS / 1000} s`)),
    )
    this.#deadlines.add(cancelDeadline)
    this.#wire.request(name, args, settle)
  }

  send<Name extends keyof Notices>(name: Name, args: Notices[Name]): void {
    if (this.#isOpen) this.#wire.send(name, args)
  }

  join(request: JoinRequest, handleAnswer: (outcome: Outcome<'join'>) => void): void {
    this.#claim(request.document, request.clientId, 1)
    this.request('join', [request], (outcome) => {
      if (!outcome.ok) this.#claim(request.document, request.clientId, -1)
      handleAnswer(outcome)
    })
  }

  /** Ends a membership, unless another Y.Doc instance on this wire has taken its client id over. */
  leave(document: string, handle: DocumentHandle, clientId: number): void {
    if (this.#claim(document, clientId, -1) === 0) this.send('leave', [handle, clientId])
  }

  bind(handle: DocumentHandle, member: ChannelMember): void {
    const members = this.#members.get(handle)
    if (members === undefined) this.#members.set(handle, new Set([member]))
    else members.add(member)
  }

  unbind(handle: DocumentHandle, member: ChannelMember): void {
    const members = this.#members.get(handle)
    if (members?.delete(member) && members.size === 0) this.#members.delete(handle)
  }

  /** Calls every member of a document. One that throws (an application's observer) stops no other. */
  forMembers(handle: DocumentHandle, call: (member: ChannelMember) => void): void {
    const failures: unknown[] = []
    // A copy: a call may end memberships.
    for (const member of [...(this.#members.get(handle) ?? [])]) {
      try {
        call(member)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** A number for a large update that no other document on this wire uses. */
  nextUpload(): number {
    return ++this.#lastUpload
  }

  close(): void {
    this.#isOpen = false
    for (const cancel of this.#deadlines) cancel()
    this.#deadlines.clear()
    this.#members.clear()
    this.#claims.clear()
  }

  #claim(document: string, clientId: number, change: 1 | -1): number {
    const key = `${clientId} ${document}`
    const count = Math.max(0, (this.#claims.get(key) ?? 0) + change)
    if (count === 0) this.#claims.delete(key)
    else this.#claims.set(key, count)
    return count
  }
}
