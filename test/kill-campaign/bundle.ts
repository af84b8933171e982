import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/**
 * The server and its worker as two files: most of a start is Node finding and compiling some three hundred modules. What
 * loads files of its own by their place (LevelDB's binding, the worker threads' frame) stays where it is. Returns the
 * server's path.
 */
export async function bundleServer(): Promise<string> {
  // Beside the modules, so that packages are found; of its own, because another campaign may run.
  const directory = pathOf(`./bundle-${process.pid}`)
  await build({
    configFile: false,
    logLevel: 'warn',
    root: pathOf('.'),
    ssr: { noExternal: true, external: ['level', 'piscina'], target: 'node' },
    build: {
      ssr: true,
      outDir: directory,
      target: 'node20',
      minify: false,
      rollupOptions: {
        input: {
          server: pathOf('./server.js'),
          'fold-worker': pathOf('../../src/log/fold-worker.js'),
        },
        output: { entryFileNames: '[name].js' },
      },
    },
  })
  return `${directory}/server.js`
}
