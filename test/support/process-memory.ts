import { readFileSync } from 'node:fs'

/** What the operating system counts as a process's resident memory, in bytes (Linux). */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (line === null) throw new Error(`process ${pid} has no VmRSS`)
  return Number(line[1]) * 1024
}
