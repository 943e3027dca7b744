#!/usr/bin/env node
// Starts jbfs. Old syntax on purpose: this file must also run on the Node.js versions (12.17 and later) that jbfs itself
// cannot use, to hand over to the newer one that the package brings along, or to say what is missing.
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { spawn } from 'child_process'
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { existsSync, fstatSync, mkdirSync } from 'fs'
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { createRequire } from 'module'
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { homedir } from 'os'
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { dirname, isAbsolute, join } from 'path'
// biome-ignore lint/style/useNodejsImportProtocol: older versions do not know it
import { fileURLToPath } from 'url'

const neededVersion = 24
/** `missing` in src/cli/exit-codes.ts: the system lacks something jbfs needs. */
const exitMissing = 6

if (Number.parseInt(process.versions.node, 10) >= neededVersion) {
  // A checkout has the sources, which Node.js runs as they are; the package has only what was built of them.
  const main = ['../src/main.ts', '../dist/main.js']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(fileURLToPath(url)))
  if (main === undefined) stop('the package is incomplete: it has no dist/main.js; install it again')
  else {
    useCompileCache()
    import(main.href)
  }
} else {
  const node = bundledNode()
  if (node === undefined)
    stop(
      `needs Node.js ${neededVersion} or newer, this is ${process.versions.node}: install a newer one, ` +
        'or jbfs with its optional dependencies (npm install --include=optional)',
    )
  else runWith(node)
}

/** What was compiled once is not compiled again: a start takes a third of the CPU. Only in a folder of our own, as what lies there is run. */
function useCompileCache() {
  const { HOME, XDG_CACHE_HOME } = process.env
  const users = isAbsolute(XDG_CACHE_HOME || '') ? XDG_CACHE_HOME : join(HOME || homedir(), '.cache')
  // As in src/base/user-folders.ts.
  const folder = process.getuid() === 0 ? '/var/cache/jbfs' : join(users, 'jbfs')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    createRequire(import.meta.url)('module').enableCompileCache(join(folder, 'node'))
  } catch (_) {
    // It goes without.
  }
}

/** The Node.js of the optional packages, wherever npm has put them: beside this package, inside it, or in a folder above. */
function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`)
    const node = join(dirname(manifest), 'bin/node')
    return existsSync(node) ? node : undefined
  } catch (_) {
    return undefined
  }
}

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)), {
    stdio: [0, 1, 2].concat(inheritedDescriptors()),
  })
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT']
  // A signal to the whole process group has reached the child already: src/base/signals.ts knows that it may come twice.
  const forward = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  child.on('error', (error) => stop(`cannot run ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeListener(each, forward)
    if (signal !== null) process.kill(process.pid, signal)
    else process.exit(code)
  })
}

/** `--fuse-fd N` names a descriptor that has to reach the new process under the same number. */
function inheritedDescriptors() {
  const match = / --fuse-fd[ =]([0-9]+)/.exec(` ${process.argv.slice(2).join(' ')}`)
  const stdio = []
  if (match === null || Number(match[1]) < 3 || !isOpen(Number(match[1]))) return stdio
  for (let fd = 3; fd < Number(match[1]); fd++) stdio.push('ignore')
  stdio.push(Number(match[1]))
  return stdio
}

/** One that is not open cannot be handed on; jbfs then says so. */
function isOpen(fd) {
  try {
    fstatSync(fd)
    return true
  } catch (_) {
    return false
  }
}

function stop(message) {
  process.stderr.write(`jbfs: ${message}\n`)
  process.exitCode = exitMissing
}
