import type { User } from '../../src/access/access.ts'
import { DocumentError } from '../../src/errors.ts'
import type { DocumentsApi } from '../../src/http/documents-router.ts'
import type { DocumentName } from '../../protocol/index.ts'

interface StoredDocument {
  readonly epoch: string
  readonly updates: Uint8Array[]
  readonly authors: (string | null)[]
}

/** Documents in a Map whose "updates" are texts, with users by token: enough to look at HTTP alone. */
export class MemoryDocuments implements DocumentsApi {
  readonly documents = new Map<string, StoredDocument>()
  readonly users = new Map<string, User>()
  /** Documents that nobody but this user id may touch. */
  readonly owners = new Map<string, string>()
  readonly readOnly = new Set<string>()
  listCalls = 0
  #epochs = 0

  put(name: string, ...texts: string[]): void {
    this.documents.set(name, {
      epoch: `e${(this.#epochs += 1)}`,
      updates: texts.map((text) => new TextEncoder().encode(text)),
      authors: texts.map(() => null),
    })
  }

  text(name: string): string | undefined {
    const stored = this.documents.get(name)
    return stored && Buffer.concat(stored.updates).toString()
  }

  authorizeRequest: DocumentsApi['authorizeRequest'] = async ({ auth }) => {
    const { token } = auth
    const user = typeof token === 'string' ? this.users.get(token) : null
    if (user === undefined) throw new DocumentError('unauthenticated', 'the token is not known')
    return {
      user,
      accessTo: async (name) => {
        const owner = this.owners.get(name)
        if (owner !== undefined && owner !== user?.id) return 'none'
        return this.readOnly.has(name) ? 'read' : 'write'
      },
    }
  }

  list: DocumentsApi['list'] = async ({ prefix = '', after, limit }) => {
    this.listCalls += 1
    return [...this.documents.keys()]
      .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      .filter((name) => name.startsWith(prefix))
      .filter(
        (name) => after === undefined || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0,
      )
      .slice(0, limit) as DocumentName[]
  }

  readUpdate: DocumentsApi['readUpdate'] = async (name) => {
    const stored = this.documents.get(name)
    if (stored === undefined) return null
    const update = new Uint8Array(Buffer.concat(stored.updates))
    return { epoch: stored.epoch, seq: stored.updates.length, update }
  }

  readJson: DocumentsApi['readJson'] = async (name) => {
    const stored = this.documents.get(name)
    if (stored === undefined) return null
    const body = Buffer.concat(stored.updates).toString()
    return {
      epoch: stored.epoch,
      seq: stored.updates.length,
      json: Buffer.from(JSON.stringify({ body })),
    }
  }

  applyUpdate: DocumentsApi['applyUpdate'] = async (name, update, author) => {
    if (!this.documents.has(name)) this.put(name)
    const stored = this.documents.get(name)
    if (stored === undefined) throw new Error('put did not put')
    stored.updates.push(update)
    stored.authors.push(author?.id ?? null)
    return { seq: stored.updates.length }
  }

  delete: DocumentsApi['delete'] = async (name) => {
    this.documents.delete(name)
  }
}
