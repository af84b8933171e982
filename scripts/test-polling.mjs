// The integration tests once more, with WebSocket blocked: servers refuse every upgrade, and clients fall back to long
// polling by themselves. `npm test` runs a part of them; without arguments this runs all.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildStale, root } from './build.mjs'

buildStale({ forTests: true })
const files = process.argv.slice(2)
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', ...(files.length > 0 ? files : ['test/e2e', 'test/client/real-server.test.ts'])],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TRANSPORT: 'polling' },
    shell: process.platform === 'win32',
  },
)
process.exitCode = status ?? 1
