export function measureBundle(entry?: string): Promise<{
  readonly minified: number
  readonly compressed: number
  readonly imports: readonly string[]
  readonly modules: readonly string[]
}>
