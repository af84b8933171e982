import { join, sep } from 'node:path'
import express, { type Express, type Response, type Router } from 'express'
import helmet from 'helmet'
import type { Logger } from '../telemetry/logger.ts'
import { answerErrors, answerNotFound } from './problem.ts'

export interface StandaloneAppOptions {
  readonly documents: Router
  readonly health: Router
  /** The directory of the built examples, the landing page at its root; null leaves `/` empty. */
  readonly examples: string | null
  readonly logger: Logger
}

/**
 * Pages run their own scripts and talk to their own server, and nothing else. Inline styles are
 * allowed because CodeMirror writes its style sheet at run time; colours that come from other
 * people are checked before they get there.
 */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: [`'none'`],
  scriptSrc: [`'self'`],
  styleSrc: [`'self'`, `'unsafe-inline'`],
  // A page makes smaller what is dropped onto it by way of a blob of its own.
  imgSrc: [`'self'`, 'data:', 'blob:'],
  fontSrc: [`'self'`],
  connectSrc: [`'self'`],
  manifestSrc: [`'self'`],
  workerSrc: [`'self'`],
  baseUri: [`'none'`],
  formAction: [`'none'`],
  frameAncestors: [`'none'`],
}

const YEAR_SECONDS = 31_536_000

/** The Express app of `y-rooms serve`: the examples at `/`, documents at `/api`, health at the root. */
export function standaloneApp(options: StandaloneAppOptions): Express {
  const { documents, health, examples, logger } = options
  const app = express()
  app.disable('x-powered-by')
  app.use(setSecurityHeaders)
  app.use('/api', documents)
  app.use(health)
  if (examples !== null)
    app.use(
      express.static(examples, {
        cacheControl: false,
        setHeaders: setCacheControl(examples),
      }),
    )
  app.use(answerNotFound)
  app.use(answerErrors(logger))
  return app
}

const setSecurityHeaders = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
  xFrameOptions: { action: 'deny' },
  // For whoever ends TLS in front of us to say: it binds every service on the host name, for a year.
  strictTransportSecurity: false,
})

/** Vite puts a hash of the content into the name of everything below `assets`; all else may change in place. */
function setCacheControl(directory: string): (response: Response, path: string) => void {
  const hashed = join(directory, 'assets') + sep
  return (response, path) => {
    response.set(
      'Cache-Control',
      path.startsWith(hashed) ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
    )
  }
}
