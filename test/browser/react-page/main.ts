import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.ts'

const parameters = new URLSearchParams(location.search)
const [url, who] = [parameters.get('url') ?? '', parameters.get('who') ?? '']
createRoot(document.getElementById('root') as HTMLElement).render(createElement(App, { url, who }))
