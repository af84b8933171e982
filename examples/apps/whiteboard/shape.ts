/** What Excalidraw calls an element, as far as this binding looks into it. */
export interface Shape {
  readonly id: string
  readonly version: number
  readonly isDeleted: boolean
  readonly [field: string]: unknown
}

/** One value of the shared map of a shape: what belongs together and is decided together. */
export type Parts = Map<string, unknown>

/**
 * Fields that one gesture changes together. Of two people who move the same shape at once one wins, with the whole of
 * the place; whoever gives it another colour meanwhile is not affected.
 */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  place: [
    'x',
    'y',
    'width',
    'height',
    'angle',
    'points',
    'pressures',
    'lastCommittedPoint',
    'startBinding',
    'endBinding',
    'fixedSegments',
    'startIsSpecial',
    'endIsSpecial',
    'scale',
    'crop',
  ],
  text: ['text', 'originalText'],
}
const GROUP_OF = new Map(
  Object.entries(GROUPS).flatMap(([group, fields]) => fields.map((field) => [field, group])),
)

/** Every browser counts these for itself. */
const LOCAL_FIELDS = new Set(['id', 'version', 'versionNonce', 'updated'])

/** What is bound to a shape, an arrow or a text, has a part of its own: two people may bind two arrows at once. */
const BOUND = 'bound:'

/** Takes a shape apart. Values are copies: Excalidraw changes its elements in place. */
export function partsOf(shape: Shape): Parts {
  const parts: Parts = new Map()
  for (const [field, value] of Object.entries(shape)) {
    if (LOCAL_FIELDS.has(field) || value === undefined) continue
    if (field === 'boundElements') {
      for (const { id, type } of readBound(value)) parts.set(BOUND + id, type)
      continue
    }
    const group = GROUP_OF.get(field)
    if (group === undefined) parts.set(field, structuredClone(value))
    else parts.set(group, { ...(parts.get(group) as object), [field]: structuredClone(value) })
  }
  return parts
}

/** The reverse, or null if somebody stored what is no shape: it must not stop the drawing of all others. */
export function shapeOf(
  id: string,
  parts: Iterable<[string, unknown]>,
  version: number,
): Shape | null {
  const fields: Record<string, unknown> = {}
  const boundElements: { id: string; type: string }[] = []
  for (const [part, value] of parts) {
    if (part.startsWith(BOUND))
      boundElements.push({ id: part.slice(BOUND.length), type: String(value) })
    else if (Object.hasOwn(GROUPS, part)) Object.assign(fields, structuredClone(value))
    else fields[part] = structuredClone(value)
  }
  boundElements.sort((one, other) => (one.id < other.id ? -1 : 1))
  const shape = {
    ...fields,
    id,
    version,
    versionNonce: Math.floor(Math.random() * 2 ** 31),
    updated: Date.now(),
    isDeleted: fields['isDeleted'] === true,
    boundElements: boundElements.length > 0 ? boundElements : null,
  }
  return isDrawable(shape) ? shape : null
}

const TYPES = new Set([
  'rectangle',
  'diamond',
  'ellipse',
  'arrow',
  'line',
  'freedraw',
  'text',
  'image',
  'frame',
])

function isDrawable(shape: Readonly<Record<string, unknown>>): boolean {
  const isNumber = (field: string): boolean => Number.isFinite(shape[field])
  if (!TYPES.has(String(shape['type']))) return false
  if (!['x', 'y', 'width', 'height', 'angle', 'opacity', 'strokeWidth', 'seed'].every(isNumber))
    return false
  if (!Array.isArray(shape['groupIds'])) return false
  switch (shape['type']) {
    case 'arrow':
    case 'line':
    case 'freedraw':
      return isPoints(shape['points'])
    case 'text':
      return typeof shape['text'] === 'string' && isNumber('fontSize') && isNumber('lineHeight')
    default:
      return true
  }
}

function isPoints(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (point) => Array.isArray(point) && point.length >= 2 && point.every(Number.isFinite),
    )
  )
}

function readBound(value: unknown): { id: string; type: string }[] {
  return Array.isArray(value) ? value : []
}
