import { chromium, type Browser } from 'playwright-core'

/** Where `npm test` found or installed it; without it there is nothing to drive. */
export const executablePath = process.env['CHROMIUM']

export function launchChromium(options: { ignoreDefaultArgs?: string[] } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: executablePath as string,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    ...options,
  })
}
