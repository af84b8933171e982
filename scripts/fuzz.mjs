// `npm run fuzz -- [--runs N] [--seed S]`: the fuzzers of the server's edge and of the update scan, for as long as asked.
// `npm run fuzz -- --decoders N [--seed S]`: only what decodes a stranger's bytes, without sockets and promises, for many millions.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildStale, root } from './build.mjs'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200000' },
    decoders: { type: 'string' },
    seed: { type: 'string' },
  },
})
buildStale()
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  [
    'run',
    'test/hostile/decoder-fuzz.test.ts',
    ...(values.decoders === undefined
      ? [
          'test/hostile/fuzz.test.ts',
          'test/hostile/socket-fuzz.test.ts',
          'test/update/update-scan.agreement.test.ts',
        ]
      : []),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FUZZ_RUNS: values.runs,
      DECODER_RUNS: values.decoders ?? values.runs,
      ...(values.seed === undefined ? {} : { FUZZ_SEED: values.seed }),
    },
    shell: process.platform === 'win32',
  },
)
process.exitCode = status ?? 1
