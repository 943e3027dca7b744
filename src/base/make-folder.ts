import { accessSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from './errors.ts'

/**
 * Makes a folder for its owner alone, and those above it, unless they are there. Step by step: mkdir of Node.js with `recursive` never ends where a file system says that a folder in
 * a folder is missing, as /proc does. For paths that somebody has typed. Throws the system's error.
 */
export function makeFolder(path: string): void {
  try {
    accessSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === '/') throw error
    makeFolder(dirname(path))
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (failure) {
      if (codeOf(failure) !== 'EEXIST') throw failure
    }
  }
}
