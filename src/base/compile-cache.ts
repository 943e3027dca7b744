import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'

/**
 * The environment of a process of our own that is to get nothing else of ours, keys least of all: it starts from what has been compiled already, if we do. Measured: 50 ms of CPU a
 * start instead of 190.
 */
export function onlyCompileCache(): Record<string, string> {
  // Node.js appends a folder of its version.
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}
