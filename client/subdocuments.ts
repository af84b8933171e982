import type * as Y from 'yjs'

interface Subdocs {
  readonly loaded: ReadonlySet<Y.Doc>
  readonly removed: ReadonlySet<Y.Doc>
}

/** What keeps one subdocument in sync. */
export interface Follower {
  destroy(): void
}

/**
 * Follows the subdocuments of a Y.Doc: those that are loaded get a follower, those that are removed lose it. A subdocument
 * that is destroyed (unloaded) is told by Yjs as removed and, with a new Y.Doc of the same guid, as added.
 */
export class Subdocuments<One extends Follower> {
  readonly #doc: Y.Doc
  readonly #follow: (subdocument: Y.Doc) => One
  readonly #followers = new Map<Y.Doc, One>()

  constructor(doc: Y.Doc, follow: (subdocument: Y.Doc) => One) {
    this.#doc = doc
    this.#follow = follow
    for (const subdocument of doc.getSubdocs()) if (subdocument.shouldLoad) this.#add(subdocument)
    doc.on('subdocs', this.#handleSubdocs)
  }

  /** By guid. */
  get followers(): ReadonlyMap<string, One> {
    return new Map([...this.#followers].map(([{ guid }, follower]) => [guid, follower]))
  }

  destroy(): void {
    this.#doc.off('subdocs', this.#handleSubdocs)
    for (const subdocument of [...this.#followers.keys()]) this.#remove(subdocument)
  }

  readonly #handleSubdocs = ({ loaded, removed }: Subdocs): void => {
    for (const subdocument of removed) this.#remove(subdocument)
    for (const subdocument of loaded) this.#add(subdocument)
  }

  #add(subdocument: Y.Doc): void {
    if (!this.#followers.has(subdocument))
      this.#followers.set(subdocument, this.#follow(subdocument))
  }

  #remove(subdocument: Y.Doc): void {
    this.#followers.get(subdocument)?.destroy()
    this.#followers.delete(subdocument)
  }
}
