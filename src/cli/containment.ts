import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../base/errors.ts'

/** The real path of what may not exist yet: that of the nearest folder above which does, and the rest. */
export async function nearestRealpath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === '/') return path
    return join(await nearestRealpath(dirname(path)), basename(path))
  }
}

/** Whether `path` is `folder` or lies in it. */
export function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
}
