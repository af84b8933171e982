import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** Every page is a folder with an index.html: the landing page, the apps, and one for each editor. */
const folders = ['.', ...foldersIn('.'), ...foldersIn('editors')]
const pages = folders.map((folder) => path(`${folder}/index.html`)).filter((page) => existsSync(page))

export default defineConfig({
  root: path('.'),
  base: './',
  resolve: {
    alias: {
      'y-rooms/client': path('../client/index.ts'),
      'y-rooms/protocol': path('../protocol/index.ts'),
    },
    // Two copies of Yjs in one page break documents.
    dedupe: ['yjs', 'y-protocols', 'lib0'],
  },
  build: {
    outDir: path('../dist/examples'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // A whiteboard is one large file; a server that compresses sends a third of it.
    chunkSizeWarningLimit: 4000,
    rollupOptions: { input: pages },
  },
})

function foldersIn(parent: string): string[] {
  const entries = readdirSync(path(parent), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => `${parent}/${entry.name}`)
}
