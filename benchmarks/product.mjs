// The built product, from next door: this package does not install it. Parts that it does not export are for looking inside.
export * from '../dist/src/index.js'
export { CommitLoop } from '../dist/src/log/commit-loop.js'
export { OpenDocument } from '../dist/src/document/open-document.js'
export { fold } from '../dist/src/log/fold.js'
export { NUMBER_OPTIONS } from '../dist/src/number-options.js'
export { systemClock } from '../dist/src/clock.js'
export { silentLogger } from '../dist/src/telemetry/logger.js'
export { CHUNK_BYTES } from '../dist/protocol/index.js'
