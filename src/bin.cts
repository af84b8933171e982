#!/usr/bin/env node
// LevelDB's writes and Node's file reads share libuv's thread pool. With its 4 threads a few slow
// reads delay every write a hundredfold. Its size is read once, when the first thread starts, and the
// loader of ES modules starts it before any of their code runs: therefore this file is CommonJS.
process.env['UV_THREADPOOL_SIZE'] ??= '16'

void import('./cli.ts').then(({ runCli }) => runCli(process.argv.slice(2)))
