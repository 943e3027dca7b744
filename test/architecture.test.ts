import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import test from 'ava'

/** Which layer may import which: downwards only, never sideways. The order is that of native-notes/architecture.md. */
const mayImport: Record<string, readonly string[]> = {
  // Of the cache only the error codes, for exit codes; of fuse these, and how to unmount.
  cli: [
    'daemon',
    'import',
    'maintenance',
    'foreign',
    'staging',
    'sample',
    'snapshot',
    'cache',
    'destination',
    'store',
    'fuse',
    'base',
  ],
  daemon: ['foreign', 'filesystem', 'staging', 'snapshot', 'cache', 'destination', 'store', 'fuse', 'base'],
  filesystem: ['snapshot', 'cache', 'fuse', 'destination', 'store', 'base'],
  staging: ['snapshot', 'cache', 'destination', 'store', 'base'],
  import: ['snapshot', 'destination', 'store', 'base'],
  maintenance: ['foreign', 'snapshot', 'destination', 'store', 'base'],
  foreign: ['snapshot', 'destination', 'store', 'base'],
  snapshot: ['destination', 'store', 'base'],
  cache: ['store', 'base'],
  destination: ['store', 'base'],
  fuse: ['base'],
  sample: ['base'],
  store: ['base'],
  base: [],
}

const root = resolve(import.meta.dirname, '../src')

function sources(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string)
}

test('imports point down', (t) => {
  const wrong: string[] = []
  for (const path of sources()) {
    const layer = path.split('/')[0] as string
    if (layer === 'main.ts') continue
    for (const specifier of importsOf(path)) {
      if (!specifier.startsWith('.')) continue
      const target = relative(root, resolve(root, dirname(path), specifier)).split('/')[0] as string
      if (target !== layer && !mayImport[layer]?.includes(target)) wrong.push(`${path} imports ${specifier}`)
    }
  }
  t.deepEqual(wrong, [])
})

test('base imports only Node', (t) => {
  const others = sources()
    .filter((path) => path.startsWith('base/'))
    .flatMap(importsOf)
    .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    // Only its types: koffi is optional, and loaded when it is needed.
    .filter((specifier) => specifier !== 'koffi')
  t.deepEqual(others, [])
})

test('no command waits for the SDK of S3 before it is known to need it', (t) => {
  const ways = new Map<string, string>([['main.ts', 'main.ts']])
  for (const [path, way] of ways) {
    const text = readFileSync(join(root, path), 'utf8')
    for (const [, specifier = ''] of text.matchAll(
      /^(?:import|export) (?!type )(?:[^'=(;]* from )?'([^']+)'/gm,
    )) {
      if (!specifier.startsWith('.')) t.false(specifier.startsWith('@aws-sdk/'), `${way} → ${specifier}`)
      else {
        const target = relative(root, resolve(root, dirname(path), specifier))
        if (!ways.has(target)) ways.set(target, `${way} → ${target}`)
      }
    }
  }
  t.true(ways.size > 20)
})

test('every layer is in the table', (t) => {
  const layers = new Set(sources().map((path) => path.split('/')[0]))
  layers.delete('main.ts')
  for (const layer of layers) t.true(layer !== undefined && layer in mayImport, layer)
})
