import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether the shell would find a program of this name. */
export function isInPath(program: string, searchPath = process.env.PATH ?? ''): boolean {
  return searchPath.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
