import { cpSync, existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** Every page is a folder with an index.html: the landing page, the apps, and one for each editor. */
const folders = ['.', ...foldersIn('.'), ...foldersIn('editors')]
const pages = folders
  .map((folder) => path(`${folder}/index.html`))
  .filter((page) => existsSync(page))

/** Excalidraw loads the fonts of a drawing by their names. Xiaolai has 13 MB, for Chinese, and stays out. */
const drawingFonts: Plugin = {
  name: 'drawing-fonts',
  apply: 'build',
  writeBundle({ dir }) {
    const fonts = path('node_modules/@excalidraw/excalidraw/dist/prod/fonts')
    cpSync(fonts, `${dir}/whiteboard/fonts`, {
      recursive: true,
      filter: (source) => !source.includes('Xiaolai'),
    })
  },
}

/** It also names another host for every font, in case ours are missing. Nobody who draws here has agreed to that. */
const noForeignFonts: Plugin = {
  name: 'no-foreign-fonts',
  transform: {
    filter: { code: 'https://esm.sh/' },
    handler: (code) => code.replaceAll('https://esm.sh/', '${location.origin}/missing-fonts/'),
  },
}

export default defineConfig({
  plugins: [drawingFonts, noForeignFonts],
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
    outDir: path('../../dist/examples'),
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // A whiteboard is one large file; a server that compresses sends a third of it.
    chunkSizeWarningLimit: 4000,
    rollupOptions: {
      input: pages,
      // 'use client' means something to servers that render React, and nothing here.
      onwarn: (warning, warn) => {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning)
      },
    },
  },
})

function foldersIn(parent: string): string[] {
  const entries = readdirSync(path(parent), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => `${parent}/${entry.name}`)
}
