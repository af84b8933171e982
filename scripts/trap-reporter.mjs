import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './build.mjs'
import { traceTraps } from './trap-list.mjs'

/**
 * Fails a full run in which a required trap of docs/traps.md has no test that ran and passed. A run of some files, or of some
 * titles, says nothing about the others.
 */
class TrapReporter {
  #vitest

  onInit(vitest) {
    this.#vitest = vitest
  }

  onTestRunEnd(testModules, _errors, reason) {
    if (reason === 'interrupted' || !this.#isFullRun(testModules)) return
    const passed = []
    for (const testModule of testModules)
      for (const test of testModule.children.allTests('passed'))
        passed.push({ file: relative(root, testModule.moduleId), title: test.name })
    const { traps, missing, unknown } = traceTraps(passed)
    const required = traps.filter(({ isRequired }) => isRequired).length
    process.stdout.write(`traps: ${required - missing.length} of ${required} have a passing test\n`)
    for (const id of missing) process.stderr.write(`trap ${id} has no test that ran and passed\n`)
    for (const { id, file } of unknown)
      process.stderr.write(`${file} cites ${id}, which docs/traps.md does not have\n`)
    if (missing.length + unknown.length > 0) process.exitCode = 1
  }

  #isFullRun(testModules) {
    const files = readdirSync(join(root, 'test'), { recursive: true }).filter((file) =>
      file.endsWith('.test.ts'),
    )
    const { testNamePattern } = this.#vitest.config
    return !testNamePattern && testModules.length === files.length
  }
}

// vitest finds a reporter by the default export of its file.
export default TrapReporter
