/**
 * What a route asks of whoever calls it: nothing; credentials that `authenticate` takes; or read or write access to the document
 * in its path.
 */
export type RouteAccess = 'public' | 'user' | 'read' | 'write'

const declared = new WeakMap<object, RouteAccess>()

/** Marks the handler of a route that sees to its access. Every route has one; a test goes through them all. [T50] */
export function declareAccess<Handler extends object>(
  access: RouteAccess,
  handler: Handler,
): Handler {
  declared.set(handler, access)
  return handler
}

/** What this handler was declared to see to, or undefined. */
export function declaredAccess(handler: object): RouteAccess | undefined {
  return declared.get(handler)
}
