import { isUtf8 } from 'node:buffer'
import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf } from './errors.ts'

/**
 * The real path of what may not exist yet: that of the nearest folder above which does, and the rest. The path as it is where that
 * cannot be reached, or has a name that no text can say.
 */
export function nearestRealpath(path: string): string {
  try {
    const real = realpathSync(path, 'buffer')
    return isUtf8(real) ? real.toString() : path
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === '/') return path
    return join(nearestRealpath(dirname(path)), basename(path))
  }
}

/** Whether `path` is `folder` or lies in it. */
export function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
}
