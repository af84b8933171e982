// `npm run screenshots`: pictures of the running apps for the README, with two or three people in each document. With a
// folder as argument it takes all pages there, wide and narrow, light and dark, to look at while working; names after
// it choose among them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { buildStale, root } from './build.mjs'

const [given, ...wanted] = process.argv.slice(2)
const folder = given ?? join(root, 'docs/screenshots')
/** What the READMEs show. */
const published = ['landing', 'rich-text', 'whiteboard', 'notes']
const isPublished = (scene, size, scheme) =>
  published.includes(scene) &&
  `${size}-${scheme}` !== 'wide-dark' &&
  `${size}-${scheme}` !== 'phone-light'
const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }
const schemes = ['light', 'dark']
/** The pages of examples/apps/editors, and what takes the typing in nearly all of them. */
const editors = [
  'codemirror',
  'prosemirror',
  'quill',
  'monaco',
  'textarea',
  'lexical',
  'blocknote',
  'milkdown',
  'slate',
]
const written = 'main [contenteditable=true], main textarea'

buildStale()
mkdirSync(folder, { recursive: true })
const data = mkdtempSync(join(tmpdir(), 'y-rooms-screenshots-'))
const bin = join(root, 'dist/src/bin.cjs')
const server = spawn(process.execPath, [bin, 'serve', '--port', '0', '--data', data], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
// A picture that cannot be taken ends this program, and must end the server too.
process.on('exit', () => server.kill())
const [line] = await once(server.stdout, 'data')
const [url] = /http:\S+/.exec(String(line))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
})

/** A page of somebody with this name. */
async function visit(name, path, options = {}) {
  const context = await browser.newContext({ viewport: sizes.wide, ...options })
  const page = await context.newPage()
  await page.goto(`${url}${path}`)
  if (path.includes('#')) {
    await page.fill('#my-name', name)
    await page.locator('.save[data-tone=good]').waitFor()
  }
  return page
}

const scenes = {
  landing: {
    path: '/',
    async prepare() {
      await visit('Ada', '/rich-text/#plan')
    },
  },
  'rich-text': {
    path: '/rich-text/#autumn-trip',
    async prepare() {
      const page = await visit('Ben Okafor', '/rich-text/#autumn-trip')
      const { keyboard } = page
      const write = async (text) => {
        await keyboard.type(text)
        await keyboard.press('Enter')
      }
      await page.locator('.tiptap').click()
      await write('# Three days in the Jura')
      await write(
        'We leave on Friday after work and walk from hut to hut. **Nobody carries more than ten kilos**, and the last train home is at 19:04.',
      )
      await write('## Still to do')
      await write('[ ] Book the hut above Saint-Cergue')
      await page.locator('input[type=checkbox]').first().click()
      await write('Ask Mira about the stove')
      await write('Print the map')
      await keyboard.press('Enter')
      await write('## What we take')
      await write('- Sleeping bag, rated for frost')
      await write('Head torch')
      await keyboard.press('Enter')
      await keyboard.type('> The forecast says fog in the valley and sun above it.')
      await page.locator('.tiptap h1').click()
      await keyboard.press('End')
      const other = await visit('Mira', '/rich-text/#autumn-trip')
      await other.locator('li p', { hasText: 'stove' }).click()
      await keyboard.press('Home')
    },
  },
  whiteboard: {
    path: '/whiteboard/#kitchen',
    async prepare() {
      const page = await visit('Ben Okafor', '/whiteboard/#kitchen')
      const { keyboard, mouse } = page
      await page.locator('.my-undo').waitFor()
      await keyboard.press('Enter')
      const drag = async (key, from, to) => {
        await keyboard.press(key)
        await mouse.move(...from)
        await mouse.down()
        await mouse.move(...to, { steps: 12 })
        await mouse.up()
      }
      const write = async (x, y, text) => {
        await keyboard.press('t')
        await mouse.click(x, y)
        await page.locator('textarea.excalidraw-wysiwyg').waitFor()
        await keyboard.type(text)
        await keyboard.press('Escape')
        await page.locator('textarea.excalidraw-wysiwyg').waitFor({ state: 'detached' })
        await keyboard.press('Escape')
      }
      await drag('r', [400, 220], [600, 320])
      await write(440, 255, 'Order comes in')
      await drag('d', [760, 210], [930, 340])
      await write(805, 260, 'In stock?')
      await drag('o', [760, 450], [930, 560])
      await write(812, 490, 'Cook it')
      await drag('a', [610, 270], [750, 272])
      await drag('a', [845, 350], [845, 440])
      await drag('p', [420, 420], [560, 500])
      await mouse.move(640, 430, { steps: 5 })
      const mira = await visit('Mira', '/whiteboard/#kitchen')
      await mira.locator('.my-undo').waitFor()
      await mira.mouse.move(500, 600, { steps: 5 })
    },
  },
  notes: {
    path: '/notes/#kitchen',
    async prepare() {
      const page = await visit('Ben Okafor', '/notes/#kitchen')
      const write = async (title, text, todos = []) => {
        await page.getByRole('button', { name: 'New note' }).click()
        await page.fill('#title', title)
        for (const todo of todos) {
          await page.fill('#new-todo', todo)
          await page.press('#new-todo', 'Enter')
        }
        await page.locator('.cm-content').click()
        await page.keyboard.type(text)
      }
      await write('Suppliers', 'Tomatoes from Lena, bread from the corner.')
      await write('Opening hours', 'Closed on Monday, and on Tuesday until five.')
      await write(
        'Friday menu',
        'Soup of roasted peppers.\nRisotto with lemon and fennel.\n\nMira asks whether the fig tart comes back.',
        ['Order rice', 'Two crates of lemons', 'Ask for figs'],
      )
      await page.locator('.todo input[type=checkbox]').first().check()
    },
    show: (page) => page.locator('.note-item', { hasText: 'Friday' }).click(),
  },
  ...Object.fromEntries(
    editors.map((editor) => [
      editor,
      {
        path: `/editors/${editor}/#notes`,
        async prepare() {
          const page = await visit('Ben Okafor', `/editors/${editor}/#notes`)
          await page
            .locator(editor === 'monaco' ? '.view-lines' : written)
            .first()
            .click()
          await page.keyboard.type('Two people, one text.')
          await page.keyboard.press('Enter')
          await page.keyboard.type('Ben is writing here')
        },
      },
    ]),
  ),
  editors: { path: '/editors/', prepare: async () => undefined },
}

for (const [name, scene] of Object.entries(scenes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  if (given === undefined && !published.includes(name)) continue
  await scene.prepare()
  for (const [size, viewport] of Object.entries(sizes))
    for (const colorScheme of schemes) {
      if (given === undefined && !isPublished(name, size, colorScheme)) continue
      const page = await visit('Ada', scene.path, { viewport, colorScheme })
      await scene.show?.(page)
      // The others' carets and pointers arrive a moment after the text.
      await page.waitForTimeout(700)
      await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) })
      await page.context().close()
    }
  for (const context of browser.contexts()) await context.close()
}
await browser.close()
server.kill()
await once(server, 'exit')
rmSync(data, { recursive: true })
