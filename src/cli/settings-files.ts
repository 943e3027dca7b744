import { accessSync, constants } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { isRoot } from '../base/is-root.ts'
import { type UserFoldersOptions, userFolders } from '../base/user-folders.ts'
import { readSettings, type Settings, type SettingsFile } from '../destination/settings/read-settings.ts'

const name = 'destinations.toml'

/** A user's own settings file comes before the system's, which it need not be for him to read; one that is named stands alone. */
export function settingsFiles(config: string | undefined, user: UserFoldersOptions): readonly SettingsFile[] {
  if (config !== undefined) return [{ path: resolve(config), passedOver: [] }]
  const system = userFolders({ ...user, isRoot: true }).config
  const own = userFolders(user).config
  return [
    { path: join(own, name), passedOver: ['ENOENT'] },
    ...(own === system ? [] : [{ path: join(system, name), passedOver: ['ENOENT', 'EACCES'] }]),
  ]
}

/** The settings of whoever runs this command. */
export function ownSettings(config: string | undefined): Settings {
  return readSettings(ownSettingsFiles(config), ownReader())
}

export function ownSettingsFiles(config: string | undefined): readonly SettingsFile[] {
  return settingsFiles(config, { env: process.env, isRoot: isRoot() })
}

/** Those that we can read. */
export function readableSettingsFiles(config: string | undefined): string[] {
  return ownSettingsFiles(config)
    .map(({ path }) => path)
    .filter(isReadable)
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

export function ownReader(): { readonly hostName: string; readonly ownUid: number } {
  return { hostName: hostname(), ownUid: process.getuid?.() ?? 0 }
}
