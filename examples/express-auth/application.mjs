// The application as it was before: people log in, and a cookie holds their session. It knows nothing of documents.
import { randomBytes } from 'node:crypto'
import express from 'express'

const people = new Map([
  ['ada', { id: 'ada', name: 'Ada Lovelace', password: 'analytical' }],
  ['bob', { id: 'bob', name: 'Bob', password: 'builder' }],
])
/** Session ids, which are secret, with the person they stand for. */
const sessions = new Map()

const sessionOf = (cookies = '') => /(?:^|; )session=([0-9a-f]{32})(?:;|$)/.exec(cookies)?.[1]

/** Whose session the cookies of a request name, or null. */
export const personOf = (cookies) => sessions.get(sessionOf(cookies)) ?? null

export const isLoggedIn = (id) => [...sessions.values()].some((person) => person.id === id)

export const application = express()

application.post('/login', express.json(), (request, response) => {
  const { id, password } = request.body ?? {}
  const person = people.get(id)
  if (person === undefined || person.password !== password) {
    response.sendStatus(401)
    return
  }
  const session = randomBytes(16).toString('hex')
  sessions.set(session, person)
  // Lax: other sites' pages send it with no request but links, which change nothing here.
  response
    .cookie('session', session, { httpOnly: true, sameSite: 'lax' })
    .json({ name: person.name })
})

application.post('/logout', (request, response) => {
  const person = personOf(request.headers.cookie)
  sessions.delete(sessionOf(request.headers.cookie))
  if (person !== null) application.emit('logout', person.id)
  response.clearCookie('session').sendStatus(204)
})

application.get('/me', (request, response) => {
  const person = personOf(request.headers.cookie)
  if (person === null) response.sendStatus(401)
  else response.json({ name: person.name })
})
