import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The examples bring a Yjs of their own, as they would in an application; one page or test has one.
  resolve: { dedupe: ['yjs', 'y-protocols', 'lib0'] },
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start servers, worker threads and browsers: processes keep them apart, two fill a small machine.
    pool: 'forks',
    maxWorkers: 2,
    // None of these is an expected duration: what never comes ends by them, on a machine that gives us an eighth of itself too.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default', './scripts/closing-line-reporter.mjs', './scripts/trap-reporter.mjs'],
  },
})
