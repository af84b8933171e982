import { Socket } from 'socket.io-client'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { socketIONetwork, SocketIOProvider, type Network } from 'y-rooms/client'
import { startProxy } from '../support/cuttable-proxy.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { readDocument } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

/** All Socket.IO sockets that are made from now on in this test. */
function watchSockets(): Set<Socket> {
  const sockets = new Set<Socket>()
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket) {
    sockets.add(this)
    return connect.call(this)
  }
  onTestFinished(() => {
    Socket.prototype.connect = connect
  })
  return sockets
}

/** Real connections, and the names of what is asked through them. */
function watchedNetwork(): { network: Network; requests: string[] } {
  const requests: string[] = []
  const connect = socketIONetwork()
  const network: Network = (target, listener) => {
    const wire = connect(target, listener)
    return {
      request: (name, args, handleAnswer) => {
        requests.push(name)
        wire.request(name, args, handleAnswer)
      },
      send: (name, args) => wire.send(name, args),
      close: () => wire.close(),
    }
  }
  return { network, requests }
}

test('T24 a thousand edits without a line: no packet waits in Socket.IO, and one upload goes out on return', async () => {
  const sockets = watchSockets()
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const line = await startProxy(Number(new URL(server.url).port))
  onTestFinished(() => line.close())
  const { network, requests } = watchedNetwork()
  const doc = new Y.Doc()
  const provider = new SocketIOProvider(line.url, 'draft', doc, { network, maxBackoffTime: 100 })
  onTestFinished(() => provider.destroy())
  await provider.whenSynced
  const body = doc.getText('body')
  body.insert(0, 'before ')
  await provider.whenSaved()
  line.cut()
  await expect.poll(() => provider.status).not.toBe('connected')
  requests.splice(0)
  for (let edit = 0; edit < 1000; edit++) {
    body.insert(body.length, `${edit} `)
    // As at a keyboard: each in a turn of its own.
    if (edit % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(provider.unsyncedChanges).toBe(1000)
  expect(provider.saveState).toBe('unsaved')
  expect(requests).toEqual([])
  const queued = (): number[] =>
    [...sockets].map((socket) => socket.sendBuffer.length + socket.receiveBuffer.length)
  expect(Math.max(...queued())).toBe(0)
  line.restore()
  await provider.whenSaved()
  expect(requests.filter((name) => name === 'update' || name === 'chunk')).toEqual(['update'])
  expect(Math.max(...queued())).toBe(0)
  expectEqualDocuments(await readDocument(server.url, 'draft'), doc)
})
