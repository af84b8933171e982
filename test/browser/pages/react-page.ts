import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './react-app.ts'

const parameters = new URLSearchParams(location.search)
const [url, who] = [parameters.get('url') ?? '', parameters.get('who') ?? '']
const root = document.body.appendChild(document.createElement('main'))
createRoot(root).render(createElement(App, { url, who }))
