/** A way to all other tabs that opened the same name. Whoever posts does not hear it. */
export interface TabPort {
  /** A value that can be cloned. Never throws. */
  post(message: unknown): void
  /** Nothing is heard from here on. */
  close(): void
}

export type OpenTabPort = (name: string, handleMessage: (message: unknown) => void) => TabPort

/**
 * The browser's BroadcastChannel: pages of one origin in one profile. Null where there are no tabs (a server has BroadcastChannel
 * too, and its providers are different people).
 */
export const browserTabs: OpenTabPort | null =
  typeof window === 'undefined' || typeof BroadcastChannel === 'undefined'
    ? null
    : (name, handleMessage) => {
        const channel = new BroadcastChannel(name)
        channel.addEventListener('message', (event: MessageEvent<unknown>) =>
          handleMessage(event.data),
        )
        return {
          post: (message) => channel.postMessage(message),
          close: () => channel.close(),
        }
      }
