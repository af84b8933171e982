import { createEncoder, toUint8Array, writeUint8Array, writeVarUint } from 'lib0/encoding'
import { digest as sha256 } from 'lib0/hash/sha256'
import * as Y from 'yjs'
import { DIGEST_BYTES } from '../protocol/index.ts'

/** About ten milliseconds of looking at structs. */
const STRUCTS_PER_STEP = 50_000

/** What stands for a document in a check: equal for equal state vectors and delete sets. */
export function digestOf(doc: Y.Doc): Uint8Array {
  const steps = digestSteps(doc)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * The digest, computed step by step, so that a document of millions of structs stops nobody's typing. It holds only if the document did
 * not change between the steps. These are the bytes of `Y.encodeSnapshot(Y.snapshot(doc))`, hashed.
 */
export function* digestSteps(
  doc: Y.Doc,
  structsPerStep = STRUCTS_PER_STEP,
): Generator<undefined, Uint8Array> {
  const clients = [...doc.store.clients].sort(([left], [right]) => right - left)
  const deletions = createEncoder()
  let clientsWithDeletions = 0
  let looked = 0
  for (const [client, structs] of clients) {
    const ranges = createEncoder()
    let count = 0
    let [clock, length] = [0, 0]
    const endRange = (): void => {
      if (length === 0) return
      writeVarUint(ranges, clock)
      writeVarUint(ranges, length)
      count++
      length = 0
    }
    for (const struct of structs) {
      if (++looked % structsPerStep === 0) yield
      if (!struct.deleted) endRange()
      else {
        if (length === 0) ({ clock } = struct.id)
        length += struct.length
      }
    }
    endRange()
    if (count === 0) continue
    clientsWithDeletions++
    writeVarUint(deletions, client)
    writeVarUint(deletions, count)
    writeUint8Array(deletions, toUint8Array(ranges))
  }
  const whole = createEncoder()
  writeVarUint(whole, clientsWithDeletions)
  writeUint8Array(whole, toUint8Array(deletions))
  writeUint8Array(whole, Y.encodeStateVector(doc))
  return sha256(toUint8Array(whole)).slice(0, DIGEST_BYTES)
}
