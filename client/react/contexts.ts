import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useMemo,
  useState,
  type ReactElement,
  type ReactNode,
} from 'react'
import { SocketIOConnection } from '../connection.ts'
import type { ConnectionOptions } from '../connection-options.ts'
import type { ProviderConfig } from '../provider-options.ts'
import { SocketIOProvider } from '../provider.ts'

const ConnectionContext = createContext<SocketIOConnection | null>(null)
const DocumentContext = createContext<SocketIOProvider | null>(null)

export interface ConnectionProviderProps extends ConnectionOptions {
  readonly children?: ReactNode
}

/**
 * One socket for all documents below it. It is open while at least one document is. A changed `url` or fixed `token` makes a new
 * one; other options are those of the first rendering.
 */
export function ConnectionProvider({
  children,
  ...options
}: ConnectionProviderProps): ReactElement {
  const { url, token = null } = options
  // A token function is a new one in every rendering; it is asked at every attempt anyway.
  const identity = typeof token === 'function' ? null : token
  const connection = useMemo(() => new SocketIOConnection(options), [url, identity])
  return createElement(ConnectionContext.Provider, { value: connection }, children)
}

export interface DocumentProviderProps extends ProviderConfig {
  readonly children?: ReactNode
  /** Shown until there is a provider: on a server, and in the first rendering. */
  readonly fallback?: ReactNode
}

/**
 * Opens a document for everything below it, and leaves it with its last rendering. A new `name`, `document` or connection opens
 * another; other options are those of the first rendering. Without a `ConnectionProvider` above it needs a `url`.
 */
export function DocumentProvider(props: DocumentProviderProps): ReactElement {
  const { children, fallback = null, ...options } = props
  const above = useContext(ConnectionContext)
  const connection = options.connection ?? options.websocketProvider ?? above ?? undefined
  const [provider, setProvider] = useState<SocketIOProvider | null>(null)
  const { name, url, document } = options
  // In an effect: a rendering may be thrown away or made on a server, and must open nothing. What an effect opens it also closes,
  // so that the double effects of StrictMode end with one provider.
  useEffect(() => {
    const opened = new SocketIOProvider({
      ...options,
      connection: url === undefined ? connection : options.connection,
    })
    setProvider(opened)
    return () => {
      setProvider(null)
      opened.destroy()
    }
  }, [connection, url, name, document])
  return createElement(
    DocumentContext.Provider,
    { value: provider },
    provider === null ? fallback : children,
  )
}

/** The provider of the document around this component. */
export function useProvider(): SocketIOProvider {
  const provider = useContext(DocumentContext)
  if (provider === null) throw new Error('useProvider needs a DocumentProvider around it')
  return provider
}
