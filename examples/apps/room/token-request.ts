import type { SocketIOProvider } from 'y-rooms/client'
import { rememberToken, token } from './access-token.ts'

const FORM = `
  <p class="token-reason"></p>
  <p>
    Whoever runs the server makes one with <code>y-rooms token --user you</code>. Put it here, or open the page with
    <code>&amp;token=…</code> at the end of its address, behind the <code>#</code>.
  </p>
  <div class="token-row">
    <label class="hidden" for="token">Token</label>
    <input id="token" type="password" placeholder="Token" autocomplete="off" spellcheck="false" required />
    <button class="button" type="submit">Use it</button>
  </div>`

/**
 * Says what is missing when the server does not let us in, and takes a token. What was written stays in the page. `all` are the
 * providers to connect again, where there are more.
 */
export function requestTokens(
  provider: SocketIOProvider,
  all: () => readonly SocketIOProvider[] = () => [provider],
): void {
  const form = document.createElement('form')
  form.className = 'token-request'
  form.hidden = true
  form.setAttribute('role', 'alert')
  document.querySelector('.bar')?.after(form)
  let wasSynced = false
  provider.on('synced', () => (wasSynced = true))
  provider.on('authenticated', () => (form.hidden = true))
  provider.on('authenticationFailed', ({ code, reason }) => {
    if (form.childElementCount === 0) form.innerHTML = FORM
    const place = form.querySelector('.token-reason')
    if (place !== null) place.textContent = explain(code, reason)
    form.hidden = false
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const field = form.querySelector('input')
    if (field === null) return
    rememberToken(field.value.trim())
    field.value = ''
    // A page that never had the document has nothing to lose, and begins anew.
    if (!wasSynced) return location.reload()
    provider.setToken(token).catch(() => undefined)
    for (const member of all()) member.connect()
  })
}

function explain(code: string, reason: string): string {
  if (token() === null) return 'This server lets nobody in without a token, and this page has none.'
  switch (code) {
    case 'token-expired':
      return 'Your token has ended. You need a new one.'
    case 'forbidden':
    case 'access-revoked':
      return 'Your token does not open this document.'
    default:
      return `The server does not take this token: ${reason}.`
  }
}
