// What strangers do. Each attack runs until it is told to stop, and then says what came of it.
import { Agent, request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { Manager, io } from 'socket.io-client'
import * as Y from 'yjs'

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function open(url, options = {}) {
  return io(`${url}/y-rooms`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth: { protocol: 1 },
    ...options,
  })
}

function entered(socket) {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'))
    socket.once('connect_error', (error) => resolve(error.data?.code ?? 'not let open'))
  })
}

const join = (socket, document, clientId) =>
  socket.emitWithAck('join', { document, clientId, key: `the key of client ${clientId}` })

function count(outcomes) {
  const counts = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

/** A text frame of a WebSocket client, masked with zeros. */
function frame(text) {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}

/** A client that enters the namespace and answers pings, by hand: ten thousand stock ones would keep this process busy. */
function enterByHand(url, localAddress) {
  const { hostname, port } = new URL(url)
  const socket = connectTcp({ host: hostname, port: Number(port), localAddress })
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}\r\n\r\n`,
  )
  const outcome = new Promise((resolve) => {
    socket.on('error', () => undefined)
    socket.on('close', () => resolve('cut'))
    socket.on('data', (data) => {
      const text = data.toString('latin1')
      if (text.startsWith('HTTP/1.1 4')) resolve('not let open')
      if (text.includes('"sid"') && text.includes('pingInterval'))
        socket.write(frame('40/y-rooms,{"protocol":1}'))
      else if (text.includes('40/y-rooms')) resolve('connected')
      else if (text.includes('44/y-rooms'))
        resolve(/"code":"([a-z-]+)"/.exec(text)?.[1] ?? 'refused')
      else if (text.endsWith('\u0081\u00012')) socket.write(frame('3'))
    })
  })
  return { socket, outcome }
}

/** 10,000 connections that join nothing, from as many addresses as told. */
async function connects(url, isOver, addresses) {
  const sockets = []
  const outcomes = []
  for (let opened = 0; opened < 10_000 && !isOver(); opened += 100) {
    const some = Array.from({ length: 100 }, (_, index) =>
      enterByHand(url, `127.0.0.${2 + ((opened + index) % addresses)}`),
    )
    sockets.push(...some.map(({ socket }) => socket))
    outcomes.push(...(await Promise.all(some.map(({ outcome }) => outcome))))
  }
  process.send('ready')
  while (!isOver()) await pause(50)
  const stillOpen = sockets.filter((socket) => socket.readyState === 'open').length
  for (const socket of sockets) socket.destroy()
  return { ...count(outcomes), 'open at the end': stillOpen }
}

/** One TCP connection that asks for a thousand namespaces, over and over; when it is closed, another. */
async function namespaces(url, isOver) {
  let asked = 0
  let closed = 0
  while (!isOver()) {
    const manager = new Manager(url, { transports: ['websocket'], reconnection: false })
    let isClosed = false
    manager.once('close', () => {
      isClosed = true
      closed++
    })
    await new Promise((resolve) => {
      manager.once('open', resolve)
      manager.once('error', resolve)
    })
    while (!isClosed && !isOver()) {
      for (let index = 0; index < 1000; index++, asked++)
        manager._packet({ type: 0, nsp: index % 2 === 0 ? '/y-rooms' : `/${index}`, data: {} })
      await pause(10)
    }
    manager._close()
  }
  return { asked, closed }
}

/** A thousand readers of a document that never read, while somebody pastes into it. */
async function readers(url, isOver) {
  const sockets = []
  while (sockets.length < 1000)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const socket = open(url)
          await entered(socket)
          await join(socket, 'crowded', 1000 + sockets.length + index)
          socket.io.engine.transport.ws._socket.pause()
          return socket
        }),
      )),
    )
  process.send('ready')
  const writer = open(url)
  await entered(writer)
  const { document } = await join(writer, 'crowded', 1)
  const doc = new Y.Doc()
  let written = 0
  while (!isOver()) {
    // As much as the kernel takes for each of them and more; a quarter of it goes to somebody else's memory.
    if (written < 24 * 1024 * 1024) {
      const updates = []
      doc.once('update', (update) => updates.push(update))
      doc.getText('body').insert(0, 'z'.repeat(64 * 1024))
      await writer.emitWithAck('update', document, updates[0])
      written += updates[0].length
    } else await pause(20)
  }
  for (const socket of [...sockets, writer]) {
    socket.io.engine.transport.ws?._socket?.resume()
    socket.disconnect()
  }
  return { 'MiB written to each': written / 1024 / 1024 }
}

/** As many updates as the line takes, whatever is answered; comes back whenever it is ended. */
async function updates(url, isOver) {
  const doc = new Y.Doc()
  const made = []
  doc.on('update', (update) => made.push(update))
  return flood(url, isOver, 'flooded', (socket, document) => {
    doc.getText('body').insert(0, 'x')
    socket.emit('update', document, made.pop(), () => undefined)
  })
}

/** The same with updates that are refused: they cost no disk. */
async function refused(url, isOver) {
  const garbage = Buffer.alloc(1000, 7)
  return flood(url, isOver, 'flooded', (socket, document) =>
    socket.emit('update', document, garbage, () => undefined),
  )
}

/** Presence of 10 KB, as often as the line takes it. */
async function presence(url, isOver) {
  const state = Buffer.from(JSON.stringify({ x: 'x'.repeat(10_000) }))
  const head = Buffer.from([1, 1, 1, (state.length & 0x7f) | 0x80, state.length >> 7])
  const update = Buffer.concat([head, state])
  return flood(url, isOver, 'pair', (socket, document) =>
    socket.emit('awareness', document, update, () => undefined),
  )
}

async function flood(url, isOver, name, send) {
  let sent = 0
  let ended = 0
  const codes = []
  while (!isOver()) {
    const socket = open(url)
    if ((await entered(socket)) !== 'connected') {
      await pause(100)
      continue
    }
    socket.on('closed', (_document, { code }) => codes.push(code))
    const joined = await Promise.race([join(socket, name, 1), pause(10_000).then(() => ({}))])
    while (socket.connected && !isOver()) {
      for (let index = 0; index < 200; index++, sent++) send(socket, joined.document)
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (!socket.connected) ended++
    socket.disconnect()
  }
  return { sent, ended, ...count(codes) }
}

/** A thousand requests whose headers never end, and as many whose body does not. */
async function loris(url, isOver) {
  const { hostname, port } = new URL(url)
  let ended = 0
  const open = (first) => {
    const socket = connectTcp(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      ended++
    })
    socket.write(first)
    return socket
  }
  const sockets = Array.from({ length: 1000 }, () => open('GET / HTTP/1.1\r\nHost: a\r\n'))
  for (let body = 0; body < 1000; body++)
    sockets.push(
      open(
        'POST /api/documents/slow/updates HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\nContent-Type: application/octet-stream\r\n\r\n',
      ),
    )
  while (!isOver()) {
    for (const [index, socket] of sockets.entries())
      if (!socket.destroyed) socket.write(index < 1000 ? 'X-A: b\r\n' : 'x')
    await pause(1000)
  }
  const left = sockets.filter((socket) => !socket.destroyed).length
  for (const socket of sockets) socket.destroy()
  return { opened: sockets.length, 'ended by the server': ended, 'open at the end': left }
}

/** HTTP requests as fast as they are answered, over a hundred connections. */
async function requests(url, isOver) {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  const outcomes = []
  const ask = () =>
    new Promise((resolve) => {
      const asked = request(`${url}/api/documents?limit=1000`, { agent }, (response) => {
        response.resume()
        response.once('end', () => resolve(response.statusCode))
      })
      asked.once('error', (error) => resolve(error.code))
      asked.end()
    })
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      while (!isOver()) outcomes.push(await ask())
    }),
  )
  agent.destroy()
  return count(outcomes)
}

const ATTACKS = {
  connects: (url, isOver) => connects(url, isOver, 1),
  'connects-spread': (url, isOver) => connects(url, isOver, 8),
  namespaces,
  readers,
  updates,
  refused,
  presence,
  loris,
  requests,
}

// Started as a process of its own, so that what it costs is not the neighbours'.
const [, , name, url] = process.argv
let isOver = false
process.once('message', () => {
  isOver = true
})
// Those that have to get somewhere first say themselves when they have.
if (!['connects', 'connects-spread', 'readers'].includes(name)) process.send('ready')
const outcome = await ATTACKS[name](url, () => isOver)
process.send({ outcome }, () => process.exit(0))
