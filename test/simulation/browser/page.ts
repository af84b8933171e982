import type { Clock } from '../../../client/index.ts'
import type { OpenTabPort } from '../../../client/tab-port.ts'
import type { Life } from '../timeline.ts'
import type { Device } from './device.ts'

let pagesEver = 0

/** A page of a browser: what it has begun ends with it. */
export class Page {
  /** Tells what this page asks of the browser's globals from what any other page of this process ever asked. */
  readonly key = `page-${++pagesEver}`
  readonly device: Device
  readonly life: Life
  readonly clock: Clock

  constructor(device: Device, life: Life, clock: Clock) {
    this.device = device
    this.life = life
    this.clock = clock
    device.pages.set(this.key, this)
  }

  later(run: () => void): void {
    this.device.schedule(this, run)
  }

  /** Under which this page asks for a database of its device. */
  databaseName(document: string): string {
    return `${this.key}|${document}`
  }

  readonly openTabPort: OpenTabPort = (name, handleMessage) =>
    this.device.channels.open(this, name, handleMessage)
}
