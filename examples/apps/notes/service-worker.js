// Keeps the app on this device, whole: one version of the page and of everything it loads, or the one before. Documents
// are not its business: they go over /socket.io/, which it never touches, and are kept in IndexedDB.

/** Written in by the build: what the page loads, relative to this file, and a digest of it all. */
const { files, version } = __APP__
const PREFIX = 'notes-app-'
const CACHE = PREFIX + version
const PAGE = new URL('./', location).href
const FILES = new Set(files.map((file) => new URL(file, location).href))

addEventListener('install', (event) => {
  // Past the browser's own cache: a page of yesterday with the parts of today would not fit.
  const requests = [...FILES].map((url) => new Request(url, { cache: 'no-cache' }))
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)))
})

addEventListener('activate', (event) => {
  event.waitUntil(takeOver())
})

async function takeOver() {
  for (const name of await caches.keys())
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name)
  await clients.claim()
}

// Not by itself: another tab may be in the middle of a sentence.
addEventListener('message', ({ data }) => {
  if (data === 'take-over') skipWaiting()
})

addEventListener('fetch', (event) => {
  const { request } = event
  const url = request.url.split(/[?#]/, 1)[0]
  const isPage = request.mode === 'navigate' && (url === PAGE || url === PAGE + 'index.html')
  const wanted = isPage ? PAGE : url
  if (request.method !== 'GET' || !FILES.has(wanted)) return
  event.respondWith(answer(request, wanted))
})

async function answer(request, url) {
  const cache = await caches.open(CACHE)
  // Gone from the device: the browser may delete it when it needs space.
  return (await cache.match(url)) ?? fetch(request)
}
