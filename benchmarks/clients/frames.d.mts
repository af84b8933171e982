export interface FrameListener {
  handleMessage(bytes: Buffer, isText: boolean): void
  handlePing(bytes: Buffer): void
  handleClose(): void
}

export class FrameReader {
  constructor(listener: FrameListener)
  read(chunk: Buffer): void
}

export interface Frame {
  readonly opcode: number
  readonly bytes: Uint8Array
}

export function textFrame(bytes: Uint8Array): Frame
export function binaryFrame(bytes: Uint8Array): Frame
export function pongFrame(bytes: Uint8Array): Frame
export function writeFrames(frames: readonly Frame[]): Buffer
