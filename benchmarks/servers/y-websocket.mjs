export { start } from '../y-websocket-server/serve.mjs'
