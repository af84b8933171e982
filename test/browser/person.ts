import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  ConsoleMessage,
  Page,
} from 'playwright-core'
import { PATIENCE_MS } from '../support/patience.ts'

/** Somebody with a browser of their own, and what went wrong in it. */
export interface Person {
  readonly name: string
  readonly page: Page
  /** Exceptions, errors in the console, a second Yjs, requests to other hosts. Empty is right. */
  readonly problems: string[]
}

/** What the browser itself says while we cut the cable or kill the server. */
const NETWORK_FAILURE = /^(Failed to load resource: net::|WebSocket connection to )/

/** And where the server ended a connection while a request of its long polling was under way: that session is unknown now. */
const ENDED_SESSION = /^Failed to load resource: .* status of 400 /

function isOfTheNetwork(message: ConsoleMessage): boolean {
  const { url } = message.location()
  const isPolling = url.includes('/socket.io/') && url.includes('transport=polling')
  return NETWORK_FAILURE.test(message.text()) || (isPolling && ENDED_SESSION.test(message.text()))
}

export async function arrive(
  browser: Browser,
  name: string,
  address: string,
  options: BrowserContextOptions = {},
): Promise<Person> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options })
  return visit(context, name, address)
}

/** One more tab of somebody's browser. */
export async function visit(
  context: BrowserContext,
  name: string,
  address: string,
): Promise<Person> {
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? String(error)}`))
  page.on('console', (message) => {
    const text = message.text()
    const isError = message.type() === 'error' && !isOfTheNetwork(message)
    if (isError || text.includes('Yjs was already imported')) problems.push(`${name}: ${text}`)
  })
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    const isLocal = origin === new URL(address).origin || !protocol.startsWith('http')
    if (!isLocal) problems.push(`${name}: asked ${request.url()}`)
  })
  await page.goto(address)
  if ((await page.locator('#my-name').count()) > 0) await page.fill('#my-name', name)
  return { name, page, problems }
}

/** Waits until the badge says so. */
export function badge({ page }: Person, text: string): Promise<void> {
  return page.locator('.save-text').getByText(text, { exact: true }).waitFor()
}
