import type { DocumentName, Epoch } from '../../protocol/index.ts'
import { storageError } from './level-error.ts'
import { documentKey, entryKey } from './level-keys.ts'
import { encodeRow, groupedIntoRows } from './log-rows.ts'
import { encodeDocument } from './records.ts'
import type { DocumentState } from './document-states.ts'
import type { Append, AppendOutcome } from './storage.ts'
import type { WriteStage } from './write-queue.ts'

/**
 * How many entries a log may be ahead of its document's record. The record is what tells of a log that has lost its end; with
 * each keystroke it would double the bytes written.
 */
const ENTRIES_PER_RECORD = 64

/** Writes the document's record, which then tells how far the log reaches. */
export function stageRecord(stage: WriteStage, name: DocumentName, state: DocumentState): void {
  const key = documentKey(name)
  stage.add({ type: 'put', key, value: encodeDocument(key, state) })
  stage.stage(name, { ...state, recordedSeq: state.seq })
}

/** Numbers the entries and adds them to the batch. It throws before it adds anything, or not at all. */
export function stageAppends(
  stage: WriteStage,
  batch: readonly Append[],
  epochOf: (generation: number) => Epoch,
): readonly AppendOutcome[] {
  const faults = batch.map(({ name }) => faultOf(stage, name))
  return batch.map((append, position) => {
    const code = faults[position] ?? null
    return code === null ? stageAppend(stage, append, epochOf) : { ok: false, code }
  })
}

function stageAppend(
  stage: WriteStage,
  { name, epoch, entries }: Append,
  epochOf: (generation: number) => Epoch,
): AppendOutcome {
  const state = stage.read(name)
  if (epoch !== epochOf(state.generation)) return { ok: false, code: 'document-reset' }
  const firstSeq = state.seq + 1
  if (entries.length === 0) return { ok: true, firstSeq }
  let rowSeq = firstSeq
  for (const row of groupedIntoRows(entries)) {
    const key = entryKey(name, state.generation, rowSeq)
    stage.add({ type: 'put', key, value: encodeRow(key, row) })
    rowSeq += row.length
  }
  const written = { ...state, isWritten: true, seq: state.seq + entries.length }
  if (state.isWritten && written.seq - state.recordedSeq < ENTRIES_PER_RECORD)
    stage.stage(name, written)
  else stageRecord(stage, name, written)
  return { ok: true, firstSeq }
}

function faultOf(stage: WriteStage, name: DocumentName): 'record-damaged' | null {
  try {
    stage.read(name)
    return null
  } catch (error) {
    const fault = storageError(error, `reading document ${JSON.stringify(name)}`)
    // One damaged document must not keep the others from being written.
    if (fault.code === 'record-damaged') return fault.code
    throw fault
  }
}
