export { storageContract } from './storage/storage-contract.ts'
export type { ContractRunner, StorageFactory } from './storage/storage-contract.ts'
export { faultyStorage, fullDisk } from './storage/faulty-storage.ts'
export type { FaultPlan, FullDisk, StorageCall, StorageFault } from './storage/faulty-storage.ts'
