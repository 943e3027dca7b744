import { isRoot } from '../base/is-root.ts'
import { type UserFolders, userFolders } from '../base/user-folders.ts'

/** Where jbfs keeps what it makes for whoever runs this command. */
export function ownFolders(): UserFolders {
  return userFolders({ env: process.env, isRoot: isRoot() })
}
