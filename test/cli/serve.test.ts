import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { ask } from '../http/http-client.ts'
import { CliProcess, runToEnd, temporaryDirectory } from './cli-process.ts'

const ONE_LINE = /^y-rooms: [^\n]+\n$/

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

function postText(url: string, name: string, text: string) {
  const headers = { 'Content-Type': 'application/octet-stream' }
  const path = `/api/documents/${name}/updates`
  return ask(url, path, { method: 'POST', headers, body: updateOf(text) })
}

async function textOf(url: string, name: string): Promise<unknown> {
  const answer = await ask(url, `/api/documents/${name}`, {
    headers: { Accept: 'application/json' },
  })
  return answer.json['body']
}

describe('help and version', () => {
  test('go to standard output with exit code 0', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    for (const args of [[], ['--help'], ['serve', '-h']]) {
      const { exit, stdout, stderr } = await runToEnd(args)
      expect([exit, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/^Usage: y-rooms serve/)
    }
    expect(await runToEnd(['--version'])).toEqual({ exit: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('what the user got wrong ends with 2 and one line', () => {
  test.each([
    ['an unknown option', ['serve', '--prot', '1'], '--prot'],
    ['a bad value', ['serve', '--port', 'http'], '"http"'],
    ['a value with a line break', ['serve', '--port', 'a\nb'], '"a\\nb"'],
    ['a host beyond this machine', ['serve', '--host', '0.0.0.0'], '--allow-anonymous'],
  ])('%s', async (_title, args, named) => {
    const { exit, stdout, stderr } = await runToEnd(args)
    expect([exit, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(ONE_LINE)
    expect(stderr).toContain(named)
  })
})

describe('what the machine refuses ends with 1 and one line', () => {
  test('a port in use, and the data is as it was', async () => {
    const data = await temporaryDirectory()
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const port = String((taken.address() as AddressInfo).port)

    const { exit, stdout, stderr } = await runToEnd(['serve', '--port', port, '--data', data])
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(ONE_LINE)
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is in use`)

    const server = new CliProcess(['serve', '--port', '0', '--data', data])
    const url = await server.whenListening()
    expect((await postText(url, 'a', 'still works')).status).toBe(200)
  })

  test('a data directory that is a file', async () => {
    const file = join(await temporaryDirectory(), 'file')
    await writeFile(file, 'precious')
    const { exit, stdout, stderr } = await runToEnd(['serve', '--port', '0', '--data', file])
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(ONE_LINE)
    expect(stderr).toContain(file)
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })

  test('a data directory that cannot be made', async () => {
    const file = join(await temporaryDirectory(), 'file')
    await writeFile(file, 'precious')
    const below = join(file, 'data')
    const { exit, stdout, stderr } = await runToEnd(['serve', '--port', '0', '--data', below])
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(ONE_LINE)
    expect(stderr).toContain(below)
  })

  test('T19 a database that another process has open, which is unharmed', async () => {
    const data = await temporaryDirectory()
    const first = new CliProcess(['serve', '--port', '0', '--data', data])
    const url = await first.whenListening()
    await postText(url, 'a', 'before')

    const { exit, stdout, stderr } = await runToEnd(['serve', '--port', '0', '--data', data])
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(ONE_LINE)
    expect(stderr).toContain(data)
    expect(stderr).toContain(String(first.process.pid))

    expect((await postText(url, 'b', 'after')).status).toBe(200)
    first.process.kill('SIGTERM')
    expect(await first.whenExited()).toBe(0)
    const again = await new CliProcess(['serve', '--port', '0', '--data', data]).whenListening()
    expect([await textOf(again, 'a'), await textOf(again, 'b')]).toEqual(['before', 'after'])
  })
})

describe('a running server', () => {
  test('prints the one line with the real port, and logs nothing to standard output', async () => {
    const data = await temporaryDirectory()
    const server = new CliProcess(['serve', '--data', data], { PORT: '0' })
    const url = await server.whenListening()
    expect(server.stdout).toBe(`y-rooms listening on ${url} (data in ${data})\n`)
    expect(new URL(url).port).not.toBe('0')
    expect((await ask(url, '/healthz')).json).toEqual({ status: 'ok' })
    expect((await ask(url, '/readyz')).json).toEqual({ status: 'ready' })
    expect((await ask(url, '/metrics')).body.toString()).toContain('# TYPE y_rooms_')
    expect((await ask(url, '/api/documents')).json).toEqual({ documents: [], cursor: null })
    server.process.kill('SIGTERM')
    expect(await server.whenExited()).toBe(0)
    expect(server.stdout.split('\n')).toHaveLength(2)
  })

  test('serves the landing page with all it refers to, or nothing with --no-examples', async () => {
    const data = await temporaryDirectory()
    const server = new CliProcess(['serve', '--port', '0', '--data', data])
    const url = await server.whenListening()
    const page = await ask(url, '/')
    expect(page.headers['content-type']).toMatch(/^text\/html/)
    const html = page.body.toString()
    const parts = [...html.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => path ?? '')
    expect(parts.length).toBeGreaterThanOrEqual(2)
    for (const path of parts) expect((await ask(url, path)).status, path).toBe(200)
    server.process.kill('SIGTERM')
    expect(await server.whenExited()).toBe(0)

    const plain = new CliProcess(['serve', '--port', '0', '--data', data, '--no-examples'])
    const answer = await ask(await plain.whenListening(), '/')
    expect([answer.status, answer.json['code']]).toEqual([404, 'not-found'])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'T9 ends with 0 on %s, with a client that never finishes, and keeps what it acknowledged',
    async (signal) => {
      const data = await temporaryDirectory()
      const server = new CliProcess(['serve', '--port', '0', '--data', data])
      const url = await server.whenListening()
      expect((await postText(url, 'a', 'acknowledged')).status).toBe(200)
      const stuck = connect(Number(new URL(url).port), '127.0.0.1')
      onTestFinished(() => void stuck.destroy())
      stuck.on('error', () => undefined)
      await once(stuck, 'connect')
      stuck.write('POST /api/documents/b/updates HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n')

      server.process.kill(signal)
      // After nine seconds it would give up, and say so with 1.
      expect(await server.whenExited()).toBe(0)
      const again = await new CliProcess(['serve', '--port', '0', '--data', data]).whenListening()
      expect(await textOf(again, 'a')).toBe('acknowledged')
    },
  )

  test.runIf(process.platform === 'linux')(
    'has sixteen threads for the disk, or as many as the user says',
    async () => {
      const countThreads = async (environment: Record<string, string>): Promise<number> => {
        const data = await temporaryDirectory()
        const server = new CliProcess(['serve', '--port', '0', '--data', data], environment)
        await server.whenListening()
        const count = readdirSync(`/proc/${server.process.pid}/task`).length
        server.process.kill('SIGTERM')
        await server.whenExited()
        return count
      }
      const byDefault = await countThreads({})
      const bySixteen = await countThreads({ UV_THREADPOOL_SIZE: '16' })
      const byFour = await countThreads({ UV_THREADPOOL_SIZE: '4' })
      expect(byDefault).toBe(bySixteen)
      expect(byDefault - byFour).toBe(12)
    },
  )
})
