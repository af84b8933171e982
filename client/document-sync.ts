import * as Y from 'yjs'
import {
  refusal,
  type AccessChange,
  type Closed,
  type Epoch,
  type JoinAnswer,
  type JoinRequest,
  type Refusal,
} from '../protocol/index.ts'
import { applyUpdates } from './apply-updates.ts'
import { CatchUp } from './catch-up.ts'
import type { Channel, ChannelMember } from './channel.ts'
import { nextAttempt } from './client-key.ts'
import type { DocumentSyncOptions, Membership } from './document-sync-options.ts'
import { EntryLoad } from './entry-load.ts'
import type { Joining, Live, Loading, State } from './document-sync-state.ts'
import { JoinRetry } from './join-retry.ts'
import { knownEpoch, rememberEpoch } from './known-epochs.ts'
import { errorFromRefusal, ProviderError, type NoAnswer } from './provider-error.ts'
import { SelfCheck } from './self-check.ts'
import { StateLoad } from './state-load.ts'
import { UpdateCursor } from './update-cursor.ts'
import { hasEverything } from './upload-plan.ts'
import { Uploader } from './uploader.ts'
import type { Outcome } from './wire.ts'

/** Keeps one Y.Doc and one document of the server the same, over as many connections as it takes. */
export class DocumentSync implements ChannelMember {
  readonly #options: DocumentSyncOptions
  readonly #retry: JoinRetry
  #state: State = { at: 'detached' }
  #epoch: Epoch | null = null
  #cursor: UpdateCursor | null = null
  /** A large document on its way here, kept over disconnections. */
  readonly #load = new StateLoad()
  readonly #entries = new EntryLoad()
  readonly #selfCheck: SelfCheck
  /** A join that was given up before its answer came. Its answer is still a valid one if asked again. */
  #abandoned: Joining | null = null
  #isSynced = false

  constructor(options: DocumentSyncOptions) {
    this.#options = options
    this.#retry = new JoinRetry({
      ...options,
      join: (channel) => this.#join(channel),
      handleError: (error) => options.handlers.handleError(error),
      handleGivenUp: (error) => this.#end(error),
    })
    this.#selfCheck = new SelfCheck({
      ...options,
      intervalMs: options.selfCheckIntervalMs,
      settledSeq: () => this.#settledSeq(),
      apply: (updates) => this.#apply(updates),
      handleWaiting: () => this.handleLocalChange(),
      handleHealed: options.handlers.handleError,
      handleLost: (error) => {
        // Our place in the log means nothing: the next join compares states.
        this.#cursor = null
        this.#fail(error)
      },
    })
  }

  get isLive(): boolean {
    return this.#state.at === 'live'
  }

  /** We are in the document, and may not change it. */
  get isReadOnly(): boolean {
    return this.#state.at === 'live' && this.#state.access === 'read'
  }

  get isSynced(): boolean {
    return this.#isSynced
  }

  /** There is a channel to the server: joins. */
  open(channel: Channel): void {
    if (this.#abandoned?.channel === channel) {
      this.#state = this.#abandoned
      this.#abandoned = null
      return
    }
    this.#join(channel)
  }

  /** The channel is gone, and the membership with it. */
  handleDown(): void {
    this.#abandoned = null
    this.#stop()
  }

  /** Leaves the document on purpose. What waits to be sent goes out first. */
  leave(): void {
    if (this.#state.at === 'live') this.#state.uploader.flush()
    if (this.#state.at === 'joining') this.#abandoned = this.#state
    this.#leave()
  }

  /** Joins again, to compare what the document has got from elsewhere with what the server has. */
  rejoin(): void {
    const state = this.#state
    if (state.at !== 'joining' && state.at !== 'loading' && state.at !== 'live') return
    const channel = state.at === 'joining' ? state.channel : state.membership.channel
    const detached = this.#leave()
    // Whoever heard of it may have disconnected us, or connected anew.
    if (this.#state === detached) this.#join(channel)
  }

  handleLocalChange(): void {
    if (this.#state.at === 'live') this.#state.uploader.schedule()
  }

  /** Sends what waits now. */
  flush(): void {
    if (this.#state.at === 'live') this.#state.uploader.flush()
  }

  handleUpdate(from: number, to: number, update: Uint8Array): void {
    if (this.#state.at === 'live') this.#state.catchUp.handleRelay(from, to, update)
    else if (this.#state.at === 'loading')
      this.#state.highestRelayed = Math.max(this.#state.highestRelayed, to)
  }

  handleAwareness(update: Uint8Array): void {
    // While a large document loads, others are shown already, and nobody who leaves meanwhile stays behind.
    if (this.#state.at === 'live' || this.#state.at === 'loading')
      this.#options.handlers.handlePresence(update)
  }

  handleClosed(closed: Closed): void {
    this.#handleRefused(closed)
  }

  handleAccess(change: AccessChange): void {
    const state = this.#state
    const { access } = change
    if (state.at === 'loading') state.access = access
    if (state.at !== 'live' || state.access === access) return
    state.access = access
    this.#options.handlers.handleAccess(change)
    // A listener may have disconnected us.
    if (this.#state !== state) return
    // What was refused for that reason alone is sent now.
    if (access === 'write' && this.#options.ledger.rejection?.code === 'read-only')
      this.#options.ledger.resume()
    state.uploader.setAccess(access)
  }

  #join(channel: Channel): void {
    const { doc, documentName, clientId } = this.#options
    this.#readEpoch()
    const state: Joining = {
      at: 'joining',
      channel,
      clientId: clientId(),
      usesCursor: this.#epoch !== null && this.#cursor !== null,
    }
    this.#state = state
    const request: JoinRequest = {
      document: documentName,
      clientId: state.clientId,
      ...nextAttempt(doc),
      stateVector: Y.encodeStateVector(doc),
      ...(this.#epoch === null ? {} : { epoch: this.#epoch }),
      ...(this.#epoch === null || this.#cursor === null ? {} : { seq: this.#cursor.seq }),
    }
    channel.join(request, (outcome) => this.#handleJoinAnswer(state, outcome))
  }

  #handleJoinAnswer(joining: Joining, outcome: Outcome<'join'>): void {
    if (this.#abandoned === joining) this.#abandoned = null
    if (this.#state !== joining) {
      if (outcome.ok)
        joining.channel.leave(this.#options.documentName, outcome.document, joining.clientId)
      return
    }
    if (!outcome.ok) {
      this.#handleRefused(outcome)
      return
    }
    // The copy on this device may have been read after the question, and be of another history.
    this.#readEpoch()
    const { channel, clientId } = joining
    const { epoch, head, snapshot, limits, document: handle } = outcome
    const membership: Membership = { channel, handle, clientId, limits }
    this.#retry.handleJoined()
    if (this.#epoch !== null && this.#epoch !== epoch) {
      // Another history under the same name. Merging it would double what both have.
      channel.leave(this.#options.documentName, handle, clientId)
      this.#end(
        new ProviderError('document-reset', 'the document was replaced on the server', {
          retry: 'never',
          documentName: this.#options.documentName,
        }),
      )
      return
    }
    // The server lost its end of the log; deletions in it show in no state vector.
    if (this.#cursor !== null && this.#cursor.highest > head) this.#options.ledger.markUnverified()
    this.#epoch = epoch
    rememberEpoch(this.#options.doc, this.#options.serverUrl, this.#options.documentName, epoch)
    this.#options.handlers.handleEpoch(epoch)
    channel.bind(handle, this)
    if (snapshot === undefined) {
      this.#goLive(membership, outcome, outcome.updates, head, joining.usesCursor)
      return
    }
    const loading: Loading = {
      at: 'loading',
      membership,
      access: outcome.access,
      highestRelayed: head,
    }
    this.#state = loading
    this.#load.start(channel, handle, epoch, snapshot, {
      handleProgress: this.#options.handlers.handleProgress,
      handleLoaded: (bytes, seq) => {
        // Its presence is shown already, and out of date by now.
        const answer = { ...withoutAwareness(outcome), access: loading.access }
        const { highestRelayed } = loading
        const { usesCursor } = joining
        if (seq === snapshot.seq) {
          const updates = [bytes, ...answer.updates]
          this.#goLive(membership, answer, updates, highestRelayed, usesCursor)
        } else {
          // It was begun before a newer one took its place: the log after it is read from there.
          this.#goLive(membership, { ...answer, seq }, [bytes], highestRelayed, usesCursor)
        }
      },
      handleFailed: (refused) => this.#handleRefused(refused),
    })
    if (outcome.awareness !== undefined) this.#options.handlers.handlePresence(outcome.awareness)
  }

  #readEpoch(): void {
    const { doc, serverUrl, documentName } = this.#options
    this.#epoch ??= knownEpoch(doc, serverUrl, documentName)
  }

  #goLive(
    membership: Membership,
    answer: JoinAnswer,
    updates: readonly Uint8Array[],
    highestSeq: number,
    usesCursor: boolean,
  ): void {
    const { ledger, handlers } = this.#options
    const cursor = new UpdateCursor(answer.seq)
    cursor.handleHint(highestSeq)
    const live: Live = {
      at: 'live',
      membership,
      access: answer.access,
      catchUp: this.#catchUp(membership, answer, cursor, usesCursor),
      uploader: this.#uploader(membership, answer),
    }
    this.#state = live
    this.#entries.add(this.#load.finish())
    this.#apply(updates)
    // An observer may have disconnected us. The cursor moves only now: the next join asks again.
    if (this.#state !== live) return
    this.#cursor = cursor
    if (answer.access === 'read') {
      ledger.reconcileReadOnly(answer.stateVector)
    } else {
      const { updateBytes } = membership.limits
      ledger.reconcile(answer.stateVector, updateBytes)
      // The reason for a refusal may be gone.
      if (ledger.rejection?.code === 'read-only') ledger.resume()
      ledger.resumeIfFits(answer.stateVector, updateBytes)
    }
    live.uploader.flush()
    handlers.handleJoined(membership, answer.awareness)
    if (this.#state !== live) return
    this.#selfCheck.begin({ ...membership, epoch: answer.epoch, access: answer.access })
    live.catchUp.start()
  }

  #catchUp(
    membership: Membership,
    { epoch, head, stateVector }: JoinAnswer,
    cursor: UpdateCursor,
    usesCursor: boolean,
  ): CatchUp {
    return new CatchUp({
      channel: membership.channel,
      handle: membership.handle,
      epoch,
      cursor,
      head,
      clock: this.#options.clock,
      entries: this.#entries,
      handleProgress: this.#options.handlers.handleProgress,
      apply: (updates) => this.#apply(updates),
      handleCaughtUp: () => this.#handleCaughtUp(usesCursor ? stateVector : null),
      handleLost: (refused) => this.#handleRefused(refused),
    })
  }

  #uploader(membership: Membership, { access, stateVector }: JoinAnswer): Uploader {
    const { ledger, clock, handlers, documentName } = this.#options
    const { channel, handle, limits } = membership
    return new Uploader(
      {
        channel,
        handle,
        limits,
        stateVector,
        ledger,
        clock,
        backoff: this.#retry.backoff,
        handleSaved: ({ seq, entry }) => {
          handlers.handleSaved()
          if (this.#state.at === 'live') this.#state.catchUp.handleAcknowledged(seq, entry)
        },
        handleProgress: handlers.handleUploadProgress,
        handleRejected: (refused) => {
          if (ledger.rejection !== null) return
          const error = errorFromRefusal(refused, documentName)
          ledger.reject(error)
          handlers.handleRejected(error)
        },
        handleLost: (refused) => {
          // What we sent does not fit on what the server has. The document itself fits on anything.
          if (refused.code === 'missing-dependencies') ledger.markUnverified()
          this.#handleRefused(refused)
        },
      },
      access,
    )
  }

  /** Everything up to the head of the join is applied; `promised` is what that must amount to, if a cursor was used. */
  #handleCaughtUp(promised: Uint8Array | null): void {
    if (this.#isSynced) return
    if (promised !== null && !hasEverything(this.#options.doc, promised)) {
      // The server lost its end and grew again (a restored backup): our sequence number means other entries there.
      this.#cursor = null
      this.#options.ledger.markUnverified()
      this.#handleRefused(refusal('cursor-too-old', 'the server has replaced entries that we had'))
      return
    }
    this.#entries.finish()
    this.#isSynced = true
    this.#options.handlers.handleSynced(true)
  }

  /** The place in the log that this document is, as far as we know: all of it, and nothing else. */
  #settledSeq(): number | null {
    const cursor = this.#cursor
    const { unsyncedChanges, rejection } = this.#options.ledger
    const isSettled =
      this.#isSynced &&
      unsyncedChanges === 0 &&
      rejection === null &&
      !this.#options.isWaitingForTabs()
    return isSettled && cursor !== null && !cursor.isBehind ? cursor.seq : null
  }

  #apply(updates: readonly Uint8Array[]): void {
    const { doc, origin, handlers, documentName } = this.#options
    const failure = applyUpdates(doc, updates, origin)
    if (failure === null) return
    handlers.handleError(
      new ProviderError('apply-failed', 'an observer of the document threw', {
        cause: failure.cause,
        documentName,
      }),
    )
  }

  #handleRefused(refused: Omit<Refusal, 'ok'> | NoAnswer): void {
    this.#fail(errorFromRefusal(refused, this.#options.documentName))
  }

  /** Leaves, for good or to join again after a pause. */
  #fail(error: ProviderError): void {
    const { handlers } = this.#options
    const { at } = this.#state
    if (at === 'detached' || at === 'waiting' || at === 'ended') return
    const channel =
      this.#state.at === 'joining' ? this.#state.channel : this.#state.membership.channel
    const detached = this.#leave()
    // Whoever heard of it may have disconnected us, or connected anew.
    if (this.#state !== detached) return
    const cancel = this.#retry.plan(channel, error)
    if (cancel === null) {
      this.#end(error)
      return
    }
    this.#state = { at: 'waiting', cancel }
    // A newer token may mend it, and then there is nothing to tell.
    if (!error.permanent) handlers.handleError(error)
  }

  #end(error: ProviderError): void {
    this.#stop()
    this.#state = { at: 'ended' }
    this.#options.handlers.handleEnded(error)
  }

  /** Returns the state that this leads to, as long as nobody who hears of it does something else. */
  #leave(): State {
    const state = this.#state
    if (state.at === 'live' || state.at === 'loading') {
      const { channel, handle, clientId } = state.membership
      channel.unbind(handle, this)
      channel.leave(this.#options.documentName, handle, clientId)
    }
    return this.#stop()
  }

  #stop(): State {
    const state = this.#state
    const detached: State = { at: 'detached' }
    this.#state = detached
    if (state.at === 'waiting') state.cancel()
    if (state.at === 'loading') this.#load.stop()
    if (state.at === 'live') {
      this.#selfCheck.end()
      state.uploader.stop()
      state.catchUp.stop()
    }
    if (state.at === 'live' || state.at === 'loading') this.#options.handlers.handleLeft()
    if (this.#isSynced) {
      this.#isSynced = false
      this.#options.handlers.handleSynced(false)
    }
    return detached
  }
}

function withoutAwareness({ awareness: _shown, ...answer }: JoinAnswer): JoinAnswer {
  return answer
}
