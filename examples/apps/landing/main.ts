import { linkTo, randomDocumentName } from '../room/document-link.ts'
import { element } from '../room/element.ts'
import { showLiveCounts } from './live-counts.ts'

for (const link of document.querySelectorAll<HTMLAnchorElement>('a[data-new]'))
  link.href = linkTo(randomDocumentName(), link.href)

element('open', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  const text = element('link', HTMLInputElement).value.trim()
  const app = new URL(`./${element('app', HTMLSelectElement).value}/`, location.href).href
  const target = /^https?:/i.test(text) && URL.canParse(text) ? text : linkTo(text, app)
  if (new URL(target).origin === location.origin) location.assign(target)
  else
    element('fault', HTMLElement).textContent =
      `This link leads to ${new URL(target).host}, which is another server. Open it in the address bar if you trust it.`
})

showLiveCounts(element('live', HTMLElement))
