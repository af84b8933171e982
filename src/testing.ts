export { storageContract } from './storage/storage-contract.ts'
export type { ContractRunner, StorageFactory } from './storage/storage-contract.ts'
