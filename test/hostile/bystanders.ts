import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import * as Y from 'yjs'
import { RawClient, updateOf } from '../support/raw-client.ts'

interface Watched {
  readonly handle: number
  readonly epoch: string
  readonly client: RawClient
  readonly log: string
}

/** The log of a document: how many entries, and a digest of their bytes. */
async function logOf(client: RawClient, handle: number, epoch: string): Promise<string> {
  const page = await client.pull(handle, { epoch, after: 0 })
  if (!page.ok) throw new Error(`pull refused: ${page.code}`)
  const digest = createHash('sha256')
  for (const update of page.updates) digest.update(`${update.byteLength}:`).update(update)
  return `${page.seq} ${digest.digest('hex')}`
}

/** Who is connected meanwhile: readers of documents that must not change, and two that write to each other. */
export class Bystanders {
  readonly #watched: Watched[] = []
  readonly #doc = new Y.Doc()
  readonly #writer: { client: RawClient; handle: number }
  readonly #reader: RawClient

  private constructor(writer: { client: RawClient; handle: number }, reader: RawClient) {
    this.#writer = writer
    this.#reader = reader
  }

  static async connect(url: string): Promise<Bystanders> {
    const [writer, reader] = [await RawClient.connect(url), await RawClient.connect(url)]
    const { document } = await writer.join('pair', { clientId: 2001 })
    await reader.join('pair', { clientId: 2002 })
    return new Bystanders({ client: writer, handle: document }, reader)
  }

  /** From now on this document must stay as it is. */
  async watch(url: string, name: string, clientId: number): Promise<void> {
    const client = await RawClient.connect(url)
    const { document: handle, epoch } = await client.join(name, { clientId })
    this.#watched.push({ client, handle, epoch, log: await logOf(client, handle, epoch) })
  }

  /** The documents are what they were, nobody was told anything, and an edit goes from one to the other. */
  async expectUnharmed(): Promise<void> {
    for (const { client, handle, epoch, log } of this.#watched) {
      expect(await logOf(client, handle, epoch)).toBe(log)
      expect([client.updates, client.closed, client.socket.connected]).toEqual([[], [], true])
    }
    const edit = updateOf(this.#doc, () => this.#doc.getText('body').insert(0, 'edit '))
    const { client, handle } = this.#writer
    const saved = await client.update(handle, edit)
    if (!saved.ok) throw new Error(`the edit was refused: ${saved.code}`)
    await this.#reader.until(
      () =>
        this.#reader.updates.some(({ to }) => to >= saved.seq) || !this.#reader.socket.connected,
    )
    expect(Buffer.from(this.#reader.updates.at(-1)!.update).toString('hex')).toBe(
      Buffer.from(edit).toString('hex'),
    )
  }

  close(): void {
    for (const { client } of this.#watched) client.close()
    this.#writer.client.close()
    this.#reader.close()
  }
}
