import * as encoding from 'lib0/encoding'

export type Id = readonly [client: number, clock: number]

export interface ForgedItem {
  readonly ref: number
  readonly content: Uint8Array
  readonly origin?: Id
  readonly rightOrigin?: Id
  /** A root's name or an item. Written only where there is neither origin nor right origin. */
  readonly parent?: string | Id
  readonly parentSub?: string
}

export type ForgedStruct = { readonly gc: number } | { readonly skip: number } | ForgedItem

export interface ForgedUpdate {
  readonly sections?: readonly {
    readonly client: number
    readonly clock: number
    readonly structs: readonly ForgedStruct[]
    /** Where the count shall lie. */
    readonly count?: number
  }[]
  readonly deletes?: readonly (readonly [client: number, ranges: readonly Id[]])[]
}

/** Writes an update exactly as asked for, sound or not. */
export function forge({ sections = [], deletes = [] }: ForgedUpdate): Uint8Array {
  return bytesOf((encoder) => {
    encoding.writeVarUint(encoder, sections.length)
    for (const { client, clock, structs, count } of sections) {
      encoding.writeVarUint(encoder, count ?? structs.length)
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      for (const struct of structs) writeStruct(encoder, struct)
    }
    encoding.writeVarUint(encoder, deletes.length)
    for (const [client, ranges] of deletes) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, ranges.length)
      for (const range of ranges) writeId(encoder, range)
    }
  })
}

export function bytesOf(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

/** An item of text under the root `t` unless told otherwise. */
export function textItem(text: string, place: Partial<ForgedItem> = { parent: 't' }): ForgedItem {
  return { ref: 4, content: stringBytes(text), ...place }
}

export function anyItem(values: readonly unknown[], place: Partial<ForgedItem>): ForgedItem {
  const content = bytesOf((encoder) => {
    encoding.writeVarUint(encoder, values.length)
    for (const value of values) encoding.writeAny(encoder, value as never)
  })
  return { ref: 8, content, ...place }
}

export function deletedItem(length: number, place: Partial<ForgedItem>): ForgedItem {
  return { ref: 1, content: uintBytes(length), ...place }
}

export function typeItem(type: number, place: Partial<ForgedItem>): ForgedItem {
  return { ref: 7, content: uintBytes(type), ...place }
}

export function stringBytes(text: string): Uint8Array {
  return bytesOf((encoder) => encoding.writeVarString(encoder, text))
}

export function uintBytes(value: number): Uint8Array {
  return bytesOf((encoder) => encoding.writeVarUint(encoder, value))
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function writeStruct(encoder: encoding.Encoder, struct: ForgedStruct): void {
  if ('gc' in struct) {
    encoding.writeUint8(encoder, 0)
    encoding.writeVarUint(encoder, struct.gc)
  } else if ('skip' in struct) {
    encoding.writeUint8(encoder, 10)
    encoding.writeVarUint(encoder, struct.skip)
  } else {
    writeItem(encoder, struct)
  }
}

function writeItem(encoder: encoding.Encoder, item: ForgedItem): void {
  const { origin, rightOrigin, parent, parentSub } = item
  const flags =
    (origin ? 0x80 : 0) | (rightOrigin ? 0x40 : 0) | (parentSub === undefined ? 0 : 0x20)
  encoding.writeUint8(encoder, item.ref | flags)
  if (origin) writeId(encoder, origin)
  if (rightOrigin) writeId(encoder, rightOrigin)
  if (!origin && !rightOrigin) {
    if (typeof parent === 'object') {
      encoding.writeVarUint(encoder, 0)
      writeId(encoder, parent)
    } else {
      encoding.writeVarUint(encoder, 1)
      encoding.writeVarString(encoder, parent ?? 't')
    }
    if (parentSub !== undefined) encoding.writeVarString(encoder, parentSub)
  }
  encoding.writeUint8Array(encoder, item.content)
}

function writeId(encoder: encoding.Encoder, [client, clock]: Id): void {
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, clock)
}
