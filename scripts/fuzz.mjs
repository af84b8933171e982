// `npm run fuzz -- [--runs N] [--seed S]`: the fuzzers of the server's edge and of the update scan, for as long as asked.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildStale, root } from './build.mjs'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '200000' }, seed: { type: 'string' } },
})
buildStale()
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  [
    'run',
    'test/hostile/fuzz.test.ts',
    'test/hostile/socket-fuzz.test.ts',
    'test/update/update-scan.agreement.test.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FUZZ_RUNS: values.runs,
      ...(values.seed === undefined ? {} : { FUZZ_SEED: values.seed }),
    },
    shell: process.platform === 'win32',
  },
)
process.exitCode = status ?? 1
