import { contractOfLog } from './storage-contract-log.ts'
import { contractOfNames } from './storage-contract-names.ts'
import { contractOfSnapshots } from './storage-contract-snapshots.ts'
import { asName, assertEqual, assertRejects, entriesOf, entry } from './storage-scenes.ts'
import type { Storage } from './storage.ts'

/** The part of a test runner that the contract needs: vitest, jest and node:test have it. */
export interface ContractRunner {
  describe(title: string, body: () => void): void
  test(title: string, body: () => Promise<void>): void
}

/** Makes storages for the contract. Each case makes its own, and destroys it. */
export interface StorageFactory {
  /** A new, empty storage, not open yet. */
  create(): Promise<Storage>
  /**
   * A storage, not open yet, on what a closed one has left. Without it the cases about restarts are left out: for a
   * storage that forgets.
   */
  reopen?(closed: Storage): Promise<Storage>
  /** Removes what a closed storage has left. */
  destroy?(closed: Storage): Promise<void>
}

/** Runs one scene on a storage that is open, and closes it. */
export type Scene = (
  title: string,
  body: (storage: Storage, reopened: () => Promise<Storage>) => Promise<void>,
) => void

/** The exam of a storage: the cases behind the rules [ST1] to [ST12] and [ST18] of `Storage`. */
export function storageContract(runner: ContractRunner, factory: StorageFactory): void {
  const scene: Scene = (title, body) => {
    runner.test(title, async () => {
      let storage = await factory.create()
      await storage.open()
      try {
        await body(storage, async () => {
          await storage.close()
          storage = (await factory.reopen?.(storage)) ?? storage
          await storage.open()
          return storage
        })
      } finally {
        await storage.close()
        await factory.destroy?.(storage)
      }
    })
  }
  const sceneWithRestart: Scene = factory.reopen === undefined ? () => undefined : scene
  runner.describe('opening and closing', () => contractOfLifetime(scene))
  runner.describe('the log', () => contractOfLog(scene, sceneWithRestart))
  runner.describe('snapshots', () => contractOfSnapshots(scene, sceneWithRestart))
  runner.describe('names', () => contractOfNames(scene, sceneWithRestart))
}

const A = asName('a')

function contractOfLifetime(scene: Scene): void {
  scene('[ST1] open is idempotent', async (storage) => {
    await Promise.all([storage.open(), storage.open()])
    assertEqual((await storage.head(A)).seq, 0)
  })

  scene('[ST12] close is idempotent, and later calls reject', async (storage) => {
    const { epoch } = await storage.head(A)
    await Promise.all([storage.close(), storage.close()])
    await storage.close()
    await assertRejects(storage.head(A), 'storage-unavailable')
    await assertRejects(
      storage.append([{ name: A, epoch, entries: [entry(1)] }]),
      'storage-unavailable',
    )
    await assertRejects(storage.readEntries(A, epoch, 0, 1), 'storage-unavailable')
    await assertRejects(storage.readSnapshotChunk(A, epoch, 1, 0), 'storage-unavailable')
    await assertRejects(
      storage.replacePrefix(A, epoch, {
        seq: 1,
        update: new Uint8Array(2),
        index: new Uint8Array(),
      }),
      'storage-unavailable',
    )
    await assertRejects(storage.list({ limit: 1 }), 'storage-unavailable')
    await assertRejects(storage.delete(A), 'storage-unavailable')
  })

  scene('[ST12] close waits for an append under way', async (storage) => {
    const { epoch } = await storage.head(A)
    let isSettled = false
    const appending = storage
      .append([{ name: A, epoch, entries: entriesOf(1, 100) }])
      .finally(() => (isSettled = true))
    await storage.close()
    assertEqual(isSettled, true)
    assertEqual(await appending, [{ ok: true, firstSeq: 1 }])
  })
}
