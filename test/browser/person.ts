import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

/** Somebody with a browser of their own, and what went wrong in it. */
export interface Person {
  readonly name: string
  readonly page: Page
  /** Exceptions, errors in the console, a second Yjs, requests to other hosts. Empty is right. */
  readonly problems: string[]
}

/** What the browser itself says while we cut the cable or kill the server. */
const NETWORK_FAILURE = /^(Failed to load resource: net::|WebSocket connection to )/

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
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? String(error)}`))
  page.on('console', (message) => {
    const text = message.text()
    const isError = message.type() === 'error' && !NETWORK_FAILURE.test(text)
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
