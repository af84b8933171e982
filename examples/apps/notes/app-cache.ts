import { element } from '../room/element.ts'

/**
 * Lets the service worker keep the app on this device. A newer version waits until it is asked for, and takes over only when
 * nothing here would be lost.
 */
export async function keepApp(mayReload: () => Promise<void>): Promise<void> {
  // Plain HTTP from another machine: the app works, while there is a network.
  if (!('serviceWorker' in navigator)) return
  const { serviceWorker } = navigator
  const isFirst = serviceWorker.controller === null
  let isReloading = false
  serviceWorker.addEventListener('controllerchange', () => {
    // The first one takes over the page as it is.
    if (isFirst || isReloading) return
    isReloading = true
    void mayReload().then(() => location.reload())
  })
  const registration = await serviceWorker.register('./sw.js')
  const offer = (): void => {
    const { waiting } = registration
    if (waiting === null || serviceWorker.controller === null) return
    element('update', HTMLElement).hidden = false
    element('update-now', HTMLButtonElement).onclick = () => waiting.postMessage('take-over')
  }
  offer()
  registration.addEventListener('updatefound', () => {
    const { installing } = registration
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'installed') offer()
    })
  })
}
