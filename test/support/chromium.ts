import { chromium, type Browser, type BrowserContext } from 'playwright-core'
import { PATIENCE_MS } from './patience.ts'

/** Where `npm test` found or installed it; without it there is nothing to drive. */
export const executablePath = process.env['CHROMIUM']

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launchChromium(options: { ignoreDefaultArgs?: string[] } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: executablePath as string,
    args: ARGUMENTS,
    timeout: PATIENCE_MS,
    ...options,
  })
}

/** A browser of one person whose storage stays in the directory when it is closed. */
export function launchProfile(directory: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(directory, {
    executablePath: executablePath as string,
    args: ARGUMENTS,
    timeout: PATIENCE_MS,
    viewport: { width: 1000, height: 700 },
  })
}
