import { RawClient } from '../support/raw-client.ts'
import type { CampaignDocument } from './campaign-document.ts'
import type { Member } from './member.ts'

/** The connections of one server's life; each is in all documents. */
export interface Clients {
  readonly url: string
  readonly writers: readonly RawClient[]
  readonly reader: RawClient
  close(): void
  /** Resolves when what the server had sent is read to the end. */
  whenLost(): Promise<unknown>
}

export async function connectClients(
  url: string,
  documents: readonly CampaignDocument[],
  handleFault: (fault: unknown) => void,
): Promise<Clients> {
  const connect = async (
    memberOf: (document: CampaignDocument) => Member | undefined,
  ): Promise<RawClient> => {
    const client = await RawClient.connect(url)
    client.socket.on('update', (handle: number, from: number, to: number, update: Uint8Array) => {
      try {
        for (const document of documents) memberOf(document)?.handleRelay(handle, from, to, update)
      } catch (fault) {
        handleFault(fault)
      }
    })
    return client
  }
  const [reader, ...writers] = await Promise.all([
    connect(({ history }) => history.reader),
    connect(({ history }) => history.writers[0]),
    connect(({ history }) => history.writers[1]),
  ])
  const all = [reader, ...writers]
  return {
    url,
    reader,
    writers,
    close: () => all.forEach((client) => client.close()),
    whenLost: () => Promise.all(all.map((client) => client.until(() => !client.socket.connected))),
  }
}
