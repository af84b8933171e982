// `npm run bundle-size`: the client as a page gets it, without what it shares with the page (yjs, lib0, y-protocols, socket.io-client). Says so if any
// of Yjs is inside after all.
import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Of the built client: `{ minified, compressed }` in bytes, and what is imported from outside. */
export async function measureBundle(entry = 'dist/client/index.js') {
  const { output } = await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      lib: { entry, formats: ['es'], fileName: 'client' },
      rollupOptions: {
        external: /^(yjs|lib0|y-protocols|socket\.io-client|react)(\/|$)/,
        // Vite leaves a library's white space to the page's own build.
        output: { minify: true },
      },
    },
  }).then((result) => (Array.isArray(result) ? result[0] : result))
  const chunks = output.filter(({ type }) => type === 'chunk')
  const code = chunks.map((chunk) => chunk.code).join('')
  return {
    minified: Buffer.byteLength(code),
    compressed: gzipSync(code, { level: 9 }).length,
    imports: [...new Set(chunks.flatMap((chunk) => chunk.imports))],
    modules: chunks.flatMap((chunk) => Object.keys(chunk.modules)),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { minified, compressed, imports } = await measureBundle()
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
  console.log(`client: ${kilobytes(minified)} minified, ${kilobytes(compressed)} compressed (gzip)`)
  console.log(`beside it: ${imports.join(', ')}`)
}
