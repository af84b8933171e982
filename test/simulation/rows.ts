export type Row = readonly [key: Uint8Array, value: Uint8Array]
export type Rows = Map<string, Row>

/** A key's bytes as a string whose order is theirs. */
export function keyOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

export type Change =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export function apply(rows: Rows, changes: readonly Change[]): void {
  for (const change of changes)
    if (change.type === 'put') rows.set(keyOf(change.key), [change.key, change.value])
    else rows.delete(keyOf(change.key))
}
