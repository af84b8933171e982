// An Express application with cookie sessions, and y-rooms in it.
//
//     npm run build && node examples/express-auth/main.mjs
import { createServer } from 'node:http'
import { createDocumentServer, levelStorage } from 'y-rooms/server'
import { application, personOf, isLoggedIn } from './application.mjs'

const http = createServer(application)

// --- y-rooms begins here.
const documents = createDocumentServer({
  storage: levelStorage(process.env.DATA_DIR ?? './data'),
  // Browsers send the session's cookie with Socket.IO's requests as with all others.
  authenticate: ({ headers }) => {
    const person = personOf(headers.cookie)
    return person && { id: person.id, presence: { name: person.name } }
  },
  authorize: ({ id }, name) => {
    if (!isLoggedIn(id)) return 'none'
    if (name.startsWith(`${id}/`)) return 'write'
    return name.startsWith('public/') ? 'read' : 'none'
  },
})
documents.attach(http)
application.use('/api', documents.router())
// Whoever logs out is out of the documents too, in every window.
application.on('logout', (id) => void documents.recheck({ user: id }))
// --- and ends here.

http.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${http.address().port}\n`)
})

process.once('SIGTERM', () => {
  void documents.close().then(() => {
    http.close()
    http.closeAllConnections()
  })
})
