import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'

/** A development dependency of the examples. */
const axeFile = new URL('../../examples/apps/node_modules/axe-core/axe.min.js', import.meta.url)

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string | null
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

/** What axe finds serious or critical in the page, one line each. `exclude` names what is not ours to repair. */
export async function seriousFaults(
  page: Page,
  exclude: readonly string[] = [],
): Promise<string[]> {
  // The page's own policy forbids foreign scripts; the debugger's door is not the page.
  await page.evaluate(readFileSync(fileURLToPath(axeFile), 'utf8'))
  const context = JSON.stringify({ include: ['html'], exclude: exclude.map((part) => [part]) })
  const results = (await page.evaluate(`axe.run(${context})`)) as AxeResults
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(
        ({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`,
      ),
    )
}
