import * as Y from 'yjs'
import { randomNumbers } from '../documents.mjs'

const COLUMNS = 50
const STEP_X = 120
const STEP_Y = 100
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const TYPES = ['rectangle', 'ellipse', 'diamond', 'rectangle', 'text', 'arrow', 'freedraw', 'line']

/** A board with so many shapes of all kinds in a grid, in the form in which the whiteboard stores them. */
export function boardOf(count) {
  if (count > DIGITS.length ** 2) throw new RangeError('two digits of order hold no more shapes')
  const doc = new Y.Doc()
  const random = randomNumbers(3)
  const shapes = doc.getMap('elements')
  doc.transact(() => {
    for (let index = 0; index < count; index++)
      shapes.set(`shape-${index}`, new Y.Map(Object.entries(partsOf(index, random))))
  })
  return Y.encodeStateAsUpdate(doc)
}

function partsOf(index, random) {
  const type = TYPES[index % TYPES.length]
  const place = {
    x: (index % COLUMNS) * STEP_X,
    y: Math.floor(index / COLUMNS) * STEP_Y,
    width: 80,
    height: 60,
    angle: 0,
  }
  return {
    type,
    place: { ...place, ...placeOf(type, random) },
    strokeColor: ['#1e1e1e', '#e03131', '#2f9e44', '#1971c2'][random(4)],
    backgroundColor: index % 3 === 0 ? '#ffc9c9' : 'transparent',
    fillStyle: 'solid',
    strokeWidth: 2,
    strokeStyle: 'solid',
    roughness: 1,
    opacity: 100,
    groupIds: [],
    frameId: null,
    index: `b${DIGITS[Math.floor(index / DIGITS.length)]}${DIGITS[index % DIGITS.length]}`,
    roundness: null,
    seed: 1 + random(1_000_000),
    isDeleted: false,
    link: null,
    locked: false,
    ...ownOf(type, index),
  }
}

function placeOf(type, random) {
  switch (type) {
    case 'arrow':
    case 'line':
      return {
        points: [
          [0, 0],
          [80, 60],
        ],
        lastCommittedPoint: null,
        startBinding: null,
        endBinding: null,
      }
    case 'freedraw':
      return {
        points: Array.from({ length: 60 }, (_, at) => [at * 1.3, at === 0 ? 0 : random(60)]),
        pressures: [],
        lastCommittedPoint: null,
      }
    case 'text':
      return { width: 90, height: 25 }
    default:
      return {}
  }
}

function ownOf(type, index) {
  switch (type) {
    case 'arrow':
      return { startArrowhead: null, endArrowhead: 'arrow', elbowed: false }
    case 'line':
      return { startArrowhead: null, endArrowhead: null, polygon: false }
    case 'freedraw':
      return { simulatePressure: true }
    case 'text':
      return {
        text: { text: `Note ${index}`, originalText: `Note ${index}` },
        fontSize: 20,
        fontFamily: 5,
        textAlign: 'left',
        verticalAlign: 'top',
        containerId: null,
        autoResize: true,
        lineHeight: 1.25,
      }
    default:
      return {}
  }
}
