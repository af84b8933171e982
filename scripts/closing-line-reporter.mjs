/**
 * Ends a run with `tests: 12 passed, 0 failed, 1 skipped` on a line of its own, for machines that
 * read logs. vitest's own summary is coloured and changes between versions.
 */
class ClosingLineReporter {
  onTestRunEnd(testModules) {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const testModule of testModules) {
      for (const test of testModule.children.allTests()) {
        const { state } = test.result()
        // A test that never came to a result did not pass.
        counts[state === 'pending' ? 'failed' : state] += 1
      }
      // A file that could not be loaded has no tests to count.
      if (testModule.state() === 'failed' && counts.failed === 0) counts.failed += 1
    }
    const { passed, failed, skipped } = counts
    process.stdout.write(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  }
}

// vitest finds a reporter by the default export of its file.
export default ClosingLineReporter
