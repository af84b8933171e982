import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'

/** A reverse proxy in front of a server, as it is set up by the sample in `deploy/`. */
export interface ProxyProcess {
  readonly port: number
  readonly url: string
  /** As an administrator who has changed the configuration: connections that stand are served on. */
  reload(): void
  stop(): Promise<void>
}

export type ProxyKind = 'nginx' | 'haproxy'

/** Found or installed by `npm test`; undefined: its tests are skipped, and the run has said so. */
export const PROXY_PROGRAMS: Readonly<Record<ProxyKind, string | undefined>> = {
  nginx: process.env['NGINX'],
  haproxy: process.env['HAPROXY'],
}

export async function startProxy(
  kind: ProxyKind,
  directory: string,
  upstreamPort: number,
  givenPort?: number,
): Promise<ProxyProcess> {
  const port = givenPort ?? (await freePort())
  const certificate = makeCertificate(directory)
  const [file, args] =
    kind === 'nginx'
      ? await nginxSetup(directory, port, upstreamPort, certificate)
      : await haproxySetup(directory, port, upstreamPort, certificate)
  const child = spawn(PROXY_PROGRAMS[kind] as string, [...args, file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await listening(port, child, () => errors)
  return {
    port,
    url: `https://localhost:${port}`,
    reload: () => void child.kill(kind === 'nginx' ? 'SIGHUP' : 'SIGUSR2'),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

interface Certificate {
  readonly certificate: string
  readonly key: string
}

function makeCertificate(directory: string): Certificate {
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost']
  execFileSync('openssl', ['req', ...kind, ...files], { stdio: 'ignore' })
  return { certificate, key }
}

async function nginxSetup(
  directory: string,
  port: number,
  upstreamPort: number,
  { certificate, key }: Certificate,
): Promise<[string, string[]]> {
  const site = replaceAll(await sample('nginx.conf'), [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['server 127.0.0.1:1234;', `server 127.0.0.1:${upstreamPort};`],
    ['/etc/letsencrypt/live/docs.example.com/fullchain.pem', certificate],
    ['/etc/letsencrypt/live/docs.example.com/privkey.pem', key],
  ])
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(directory, name)};`)
    .join('\n')
  const file = join(directory, 'nginx.conf')
  // The directory of a test is open to its owner only.
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  await writeFile(
    file,
    `${user}pid ${join(directory, 'nginx.pid')};\nerror_log stderr;\nevents {}\nhttp {\n  access_log off;\n${folders}\n${site}}\n`,
  )
  return [file, ['-e', 'stderr', '-g', 'daemon off;', '-c']]
}

async function haproxySetup(
  directory: string,
  port: number,
  upstreamPort: number,
  { certificate, key }: Certificate,
): Promise<[string, string[]]> {
  const both = join(directory, 'both.pem')
  await writeFile(both, (await readFile(certificate, 'utf8')) + (await readFile(key, 'utf8')))
  const text = replaceAll(await sample('haproxy.cfg'), [
    [
      'bind :443 ssl crt /etc/haproxy/docs.example.com.pem',
      `bind 127.0.0.1:${port} ssl crt ${both}`,
    ],
    ['server one 127.0.0.1:1234', `server one 127.0.0.1:${upstreamPort}`],
  ])
  const file = join(directory, 'haproxy.cfg')
  await writeFile(file, text)
  return [file, ['-W', '-db', '-f']]
}

function sample(name: string): Promise<string> {
  return readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')
}

/** What the sample has exactly once is made to fit this machine; everything else stays as users copy it. */
function replaceAll(text: string, replacements: readonly (readonly [string, string])[]): string {
  let replaced = text
  for (const [from, to] of replacements) {
    if (replaced.split(from).length !== 2) throw new Error(`the sample has not one "${from}"`)
    replaced = replaced.replace(from, to)
  }
  return replaced
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Resolves when the proxy takes connections; rejects when it has ended. */
async function listening(port: number, child: ChildProcess, errors: () => string): Promise<void> {
  while (child.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => setTimeout(() => resolve(false), 20))
    })
    if (isOpen) return
  }
  throw new Error(`the proxy did not start: ${errors()}`)
}
