import { onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from '../../client/index.ts'
import type { JoinAnswer } from '../../protocol/index.ts'
import { ManualClock } from './manual-clock.ts'
import { joined, ScriptedNetwork, type ScriptedWire } from './scripted-network.ts'

export interface Scene {
  readonly clock: ManualClock
  readonly network: ScriptedNetwork
  readonly provider: SocketIOProvider
  readonly doc: Y.Doc
  /** The latest wire. */
  readonly wire: ScriptedWire
  /** Every event of the provider, in order, as `name` or `name:first argument`. */
  readonly events: string[]
  text(): string
  type(text: string): void
  /** Opens the latest wire and answers the join. */
  join(answer?: Partial<JoinAnswer>): ScriptedWire
}

/** A provider on a scripted network and a clock that stands still. */
export function scene(
  options: ProviderOptions & { doc?: Y.Doc; name?: string; on?: Scene } = {},
): Scene {
  const { doc = new Y.Doc(), name = 'draft', on, ...rest } = options
  const clock = on?.clock ?? new ManualClock()
  const network = on?.network ?? new ScriptedNetwork()
  const events: string[] = []
  const provider = new SocketIOProvider('http://server.test', name, doc, {
    ...rest,
    network: network.connect,
    clock,
  })
  provider.on('status', ({ status }) => events.push(status))
  provider.on('sync', (synced) => events.push(`sync:${synced}`))
  provider.on('synced', ({ state }) => events.push(`synced:${state}`))
  provider.on('save-state', ({ state }) => events.push(state))
  provider.on('closed', ({ code, reason }) => events.push(`closed:${code} ${reason}`))
  provider.on('error', ({ code }) => events.push(`error:${code}`))
  provider.on('rejected', ({ error }) => events.push(`rejected:${error.code}`))
  onTestFinished(() => {
    provider.destroy()
    doc.destroy()
  })
  return {
    clock,
    network,
    provider,
    doc,
    events,
    get wire() {
      return network.wire
    },
    text: () => doc.getText('body').toJSON(),
    type(text) {
      const body = doc.getText('body')
      body.insert(body.length, text)
    },
    join(answer = {}) {
      const { wire } = network
      if (wire.state === 'opening') wire.open()
      wire.take('join').answer(joined(answer))
      clock.endTurn()
      return wire
    },
  }
}
