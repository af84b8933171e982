import { io, type Socket } from 'socket.io-client'
import * as Y from 'yjs'
import {
  DEFAULT_NAMESPACE,
  PROTOCOL_VERSION,
  type AccessChange,
  type Closed,
  type Done,
  type JoinAnswer,
  type JoinRequest,
  type PullAnswer,
  type PullRequest,
  type Refusal,
  type TokenAnswer,
  type UpdateAnswer,
} from 'y-rooms/protocol'
import { USUAL_TRANSPORTS } from './transport.ts'

export interface RelayedUpdate {
  readonly document: number
  readonly from: number
  readonly to: number
  readonly update: Uint8Array
}

/** A client that speaks the wire and keeps no document: what arrives is kept in the order of arrival. */
export class RawClient {
  readonly socket: Socket
  readonly updates: RelayedUpdate[] = []
  readonly awareness: Uint8Array[] = []
  readonly closed: Closed[] = []
  readonly access: AccessChange[] = []
  readonly expiring: number[] = []
  readonly #arrivals = new Set<() => void>()

  constructor(url: string, auth: Record<string, unknown> = {}, transports?: string[]) {
    this.socket = io(url + DEFAULT_NAMESPACE, {
      ...(transports === undefined ? USUAL_TRANSPORTS : { transports }),
      forceNew: true,
      reconnection: false,
      auth: { protocol: PROTOCOL_VERSION, ...auth },
    })
    this.socket.on('update', (document: number, from: number, to: number, update: Uint8Array) => {
      this.updates.push({ document, from, to, update: new Uint8Array(update) })
      this.#arrived()
    })
    this.socket.on('awareness', (_document: number, update: Uint8Array) => {
      this.awareness.push(new Uint8Array(update))
      this.#arrived()
    })
    this.socket.on('closed', (_document: number, closed: Closed) => {
      this.closed.push(closed)
      this.#arrived()
    })
    this.socket.on('access', (_document: number, change: AccessChange) => {
      this.access.push(change)
      this.#arrived()
    })
    this.socket.on('expiring', (expiresInMs: number) => {
      this.expiring.push(expiresInMs)
      this.#arrived()
    })
    this.socket.on('disconnect', () => this.#arrived())
  }

  static async connect(
    url: string,
    auth: Record<string, unknown> = {},
    transports?: string[],
  ): Promise<RawClient> {
    const client = new RawClient(url, auth, transports)
    await new Promise<void>((resolve, reject) => {
      client.socket.once('connect', resolve)
      client.socket.once('connect_error', reject)
    })
    return client
  }

  request<Answer>(event: string, ...args: unknown[]): Promise<Answer | Refusal> {
    return this.socket.timeout(120_000).emitWithAck(event, ...args) as Promise<Answer | Refusal>
  }

  async join(
    document: string,
    request: Partial<JoinRequest> & { clientId: number },
  ): Promise<JoinAnswer> {
    const answer = await this.tryJoin(document, request)
    if (!answer.ok) throw new Error(`join refused: ${answer.code} ${answer.message}`)
    return answer
  }

  tryJoin(
    document: string,
    request: Partial<JoinRequest> & { clientId: number },
  ): Promise<JoinAnswer | Refusal> {
    return this.request<JoinAnswer>('join', {
      document,
      key: `key-of-client-${request.clientId}-padding`,
      ...request,
    })
  }

  update(document: number, update: Uint8Array): Promise<UpdateAnswer | Refusal> {
    return this.request<UpdateAnswer>('update', document, update)
  }

  pull(document: number, request: PullRequest): Promise<PullAnswer | Refusal> {
    return this.request<PullAnswer>('pull', document, request)
  }

  token(token: string): Promise<TokenAnswer | Refusal> {
    return this.request<TokenAnswer>('token', token)
  }

  leave(document: number, clientId: number): Promise<Done | Refusal> {
    return this.request<Done>('leave', document, clientId)
  }

  /** Resolves as soon as the condition holds, checking whenever something arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        const arrived = (): void => {
          this.#arrivals.delete(arrived)
          resolve()
        }
        this.#arrivals.add(arrived)
      })
  }

  close(): void {
    this.socket.disconnect()
  }

  #arrived(): void {
    for (const callback of [...this.#arrivals]) callback()
  }
}

/** Joins with nothing and reads until the head: the document as a newcomer gets it. */
export async function readDocument(url: string, name: string): Promise<Y.Doc> {
  const client = await RawClient.connect(url)
  try {
    return await loadDocument(client, name)
  } finally {
    client.close()
  }
}

export async function loadDocument(client: RawClient, name: string): Promise<Y.Doc> {
  const doc = new Y.Doc()
  const answer = await client.join(name, { clientId: doc.clientID })
  await applyJoin(client, doc, answer)
  return doc
}

/** Brings a document up to the head of a join answer: snapshot, updates, and what `pull` has to bring. */
export async function applyJoin(client: RawClient, doc: Y.Doc, answer: JoinAnswer): Promise<void> {
  const { snapshot, document, epoch } = answer
  if (snapshot !== undefined) {
    const chunks: Uint8Array[] = []
    for (let chunk = 0; chunk * snapshot.chunkBytes < snapshot.bytes; chunk++) {
      const pulled = await client.pull(document, { epoch, snapshot: snapshot.seq, chunk })
      if (!pulled.ok) throw new Error(`chunk refused: ${pulled.code}`)
      chunks.push(...pulled.updates.map((bytes) => new Uint8Array(bytes)))
    }
    Y.applyUpdate(doc, Buffer.concat(chunks))
  }
  for (const update of answer.updates) Y.applyUpdate(doc, new Uint8Array(update))
  let { seq } = answer
  while (seq < answer.head) {
    const page = await client.pull(document, { epoch, after: seq })
    if (!page.ok) throw new Error(`pull refused: ${page.code}`)
    for (const update of page.updates) Y.applyUpdate(doc, new Uint8Array(update))
    seq = page.seq
  }
}

/** The update that one change to a document makes. */
export function updateOf(doc: Y.Doc, change: (doc: Y.Doc) => void): Uint8Array {
  const updates: Uint8Array[] = []
  const keep = (update: Uint8Array): number => updates.push(update)
  doc.on('update', keep)
  doc.transact(() => change(doc))
  doc.off('update', keep)
  return updates[0] as Uint8Array
}
