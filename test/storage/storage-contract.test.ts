import { describe, test } from 'vitest'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { faultyStorage, storageContract, type StorageFactory } from '../../src/testing.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

describe('memory storage', () => {
  storageContract({ describe, test }, { create: async () => memoryStorage() })
})

describe('level storage', () => {
  storageContract({ describe, test }, levelFactory())
})

describe('faulty storage without faults', () => {
  describe('around memory', () => {
    storageContract(
      { describe, test },
      { create: async () => faultyStorage(memoryStorage(), () => null) },
    )
  })

  describe('around LevelDB', () => {
    storageContract(
      { describe, test },
      levelFactory((inner) => faultyStorage(inner, () => null)),
    )
  })

  describe('with every call held back for a while', () => {
    storageContract(
      { describe, test },
      levelFactory((inner) => faultyStorage(inner, async () => null)),
    )
  })
})

function levelFactory(wrap = (storage: Storage): Storage => storage): StorageFactory {
  const directories = new Map<Storage, string>()
  const inDirectory = (directory: string): Storage => {
    const storage = wrap(levelStorage(directory))
    directories.set(storage, directory)
    return storage
  }
  return {
    create: async () => inDirectory(await makeTempDirectory()),
    reopen: async (closed) => inDirectory(directories.get(closed) as string),
    destroy: async (closed) => removeDirectory(directories.get(closed) as string),
  }
}
