import { defineConfig } from 'vite'

const path = (relative: string): string =>
  decodeURIComponent(new URL(relative, import.meta.url).pathname)

export default defineConfig({
  root: path('.'),
  base: './',
  resolve: {
    alias: {
      'y-rooms/client': path('../../client/index.ts'),
      'y-rooms/protocol': path('../../protocol/index.ts'),
    },
    // Two copies of Yjs in one page break documents.
    dedupe: ['yjs', 'y-protocols', 'lib0'],
  },
  build: {
    outDir: path('../../dist/start'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // An editor and a CRDT in one file, a sixth of it on the wire of a server that compresses.
    chunkSizeWarningLimit: 900,
  },
})
