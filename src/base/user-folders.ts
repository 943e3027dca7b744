import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where jbfs keeps its settings and what it makes: the system's folders for root, those of the XDG base directory specification for a user. */
export interface UserFolders {
  readonly config: string
  /** Control sockets; gone after a restart of the system. */
  readonly runtime: string
  /** May be deleted at any time; is then fetched again. */
  readonly cache: string
  readonly log: string
  /** What must not be lost: who this server is. */
  readonly state: string
}

export interface UserFoldersOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isRoot: boolean
}

export function userFolders({ env, isRoot }: UserFoldersOptions): UserFolders {
  if (isRoot)
    return {
      config: '/etc/jbfs',
      runtime: '/run/jbfs',
      cache: '/var/cache/jbfs',
      log: '/var/log/jbfs',
      state: '/var/lib/jbfs',
    }
  const home = env.HOME || homedir()
  const state = join(absolute(env.XDG_STATE_HOME) ?? join(home, '.local/state'), 'jbfs')
  const runtime = absolute(env.XDG_RUNTIME_DIR)
  return {
    config: join(absolute(env.XDG_CONFIG_HOME) ?? join(home, '.config'), 'jbfs'),
    runtime: runtime === undefined ? join(state, 'run') : join(runtime, 'jbfs'),
    cache: join(absolute(env.XDG_CACHE_HOME) ?? join(home, '.cache'), 'jbfs'),
    log: join(state, 'log'),
    state,
  }
}

/** The specification tells to ignore a relative path. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined
}
