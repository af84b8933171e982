import { run } from './run.ts'
import { shrink } from './shrink.ts'
import { storyOf, tell } from './story.ts'

const first = Number(process.argv[2] ?? 1)
const count = Number(process.argv[3] ?? 1)
for (let seed = first; seed < first + count; seed++) {
  const story = storyOf(seed)
  const startedAt = Date.now()
  const { faults, trace } = await run(story)
  if (Date.now() - startedAt > 1500)
    process.stdout.write(`slow ${seed}: ${trace} ${Date.now() - startedAt} ms\n`)
  if (count === 1 || faults.length > 0)
    process.stdout.write(`${seed}: ${trace}\n${faults.join('\n')}\n`)
  if (faults.length > 0 && process.argv[4] === 'shrink') {
    const short = await shrink(story, async (candidate) => (await run(candidate)).faults.length > 0)
    const result = await run(short)
    process.stdout.write(`${tell(short)}\n${result.faults.join('\n')}\n`)
  }
}
