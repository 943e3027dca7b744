import { extname } from 'node:path'

/**
 * Where the worker `name` (without its ending) lies beside the module `moduleUrl`: a `.ts` file in the sources, `.js` when built.
 * `new Worker(workerUrl('./hash-worker', import.meta.url))`
 */
export function workerUrl(name: string, moduleUrl: string): URL {
  return new URL(`${name}${extname(new URL(moduleUrl).pathname)}`, moduleUrl)
}
