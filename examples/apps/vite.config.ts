import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin, type Rolldown } from 'vite'

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

/** What the notes consist of beside what is built: they are an app of their own, with icons. */
const NOTES_FILES = ['icon.svg', ...foldersFiles('public/notes')]

/** Tells the service worker of the notes what to keep on the device: the page, and all that it loads. */
const notesServiceWorker: Plugin = {
  name: 'notes-service-worker',
  apply: 'build',
  writeBundle({ dir = '' }, bundle) {
    const loaded = ['notes/index.html', ...NOTES_FILES, ...filesOf('notes/index.html', bundle)]
    const digest = createHash('sha256')
    for (const file of loaded) digest.update(`${file}\n`).update(readFileSync(`${dir}/${file}`))
    const files = loaded.map((file) => (file === 'notes/index.html' ? './' : `../${file}`))
    const app = JSON.stringify({ files, version: digest.digest('hex').slice(0, 16) })
    const source = readFileSync(path('notes/service-worker.js'), 'utf8')
    writeFileSync(`${dir}/notes/sw.js`, source.replace('__APP__', app))
  },
}

export default defineConfig({
  plugins: [drawingFonts, noForeignFonts, notesServiceWorker],
  root: path('.'),
  base: './',
  resolve: {
    alias: {
      'y-rooms/client': path('../../client/index.ts'),
      'y-rooms/protocol': path('../../protocol/index.ts'),
      // BlockNote asks the next lib0 for this. All else that it uses, the lib0 of Yjs has too.
      'lib0/hash/fnv1a': path('node_modules/@blocknote/core/node_modules/lib0/src/hash/fnv1a.js'),
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

/** All files of a folder, by their paths from the root of what is served. */
function foldersFiles(folder: string): string[] {
  return readdirSync(path(folder)).map((file) => `${folder.replace('public/', '')}/${file}`)
}

/** The scripts and styles of a page, with those that they import. */
function filesOf(page: string, bundle: Rolldown.OutputBundle): string[] {
  const files = new Set<string>()
  const add = (fileName: string): void => {
    const chunk = bundle[fileName]
    if (files.has(fileName) || chunk?.type !== 'chunk') return
    files.add(fileName)
    for (const style of chunk.viteMetadata?.importedCss ?? []) files.add(style)
    for (const asset of chunk.viteMetadata?.importedAssets ?? []) files.add(asset)
    for (const imported of [...chunk.imports, ...chunk.dynamicImports]) add(imported)
  }
  const entry = Object.values(bundle).find(
    (chunk) => chunk.type === 'chunk' && chunk.facadeModuleId?.endsWith(page),
  )
  if (entry === undefined) throw new Error(`${page} was not built`)
  add(entry.fileName)
  return [...files]
}
