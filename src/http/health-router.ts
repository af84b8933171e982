import express, { type Request, type Response, type Router } from 'express'
import type { Logger } from '../telemetry/logger.ts'
import { declareAccess } from './route-access.ts'
import { answerErrors, answerMethodNotAllowed } from './problem.ts'

/** What the router needs of the server. */
export interface HealthApi {
  /** Null when the server can take edits, else one sentence that says why it cannot. */
  notReadyReason(): string | null
  /** Documents that are refused as damaged while the others are served. */
  damagedDocuments(): number
  /** A prom-client `Registry` of this server alone, never the global one: one process may hold many servers. */
  readonly metrics: MetricsSource
}

interface MetricsSource {
  readonly contentType: string
  metrics(): Promise<string>
}

/**
 * `/healthz`: the process answers; restart it when it does not. `/readyz`: it can store edits; send it
 * no traffic when it cannot. `/metrics`: Prometheus text.
 */
export function healthRouter(api: HealthApi, logger: Logger): Router {
  const router = express.Router({ caseSensitive: true })
  const getOnly = answerMethodNotAllowed('GET', 'HEAD')

  router
    .route('/healthz')
    .get(
      declareAccess('public', (_request: Request, response: Response) => {
        response.set('Cache-Control', 'no-store').json({ status: 'ok' })
      }),
    )
    .all(getOnly)
  router
    .route('/readyz')
    .get(
      declareAccess('public', (_request: Request, response: Response) => {
        const reason = api.notReadyReason()
        response.set('Cache-Control', 'no-store')
        if (reason === null) response.json({ status: 'ready', ...noteOfDamage(api) })
        else response.status(503).json({ status: 'not-ready', message: reason })
      }),
    )
    .all(getOnly)
  router
    .route('/metrics')
    .get(
      declareAccess('public', async (_request: Request, response: Response) => {
        const text = await api.metrics.metrics()
        // `send` would add a second charset parameter to the type that Prometheus expects as it is.
        response.set('Cache-Control', 'no-store').setHeader('Content-Type', api.metrics.contentType)
        response.end(text)
      }),
    )
    .all(getOnly)
  // Mounted at the root of somebody's app: other paths are theirs, errors here are ours.
  router.use(answerErrors(logger))
  return router
}

/** A server with damaged documents takes traffic: for the others. */
function noteOfDamage(api: HealthApi): { message?: string } {
  const count = api.damagedDocuments()
  return count === 0 ? {} : { message: `documents refused as damaged: ${count}` }
}
