import test from 'ava'
import { userFolders } from '../../src/base/user-folders.ts'

test('root has the folders of the system', (t) => {
  t.deepEqual(userFolders({ env: { XDG_RUNTIME_DIR: '/run/user/0', HOME: '/root' }, isRoot: true }), {
    config: '/etc/jbfs',
    runtime: '/run/jbfs',
    cache: '/var/cache/jbfs',
    log: '/var/log/jbfs',
    state: '/var/lib/jbfs',
  })
})

test('a user has those of the XDG specification', (t) => {
  const env = {
    HOME: '/home/ann',
    XDG_RUNTIME_DIR: '/run/user/7',
    XDG_CACHE_HOME: '/c',
    XDG_CONFIG_HOME: '/e',
    XDG_STATE_HOME: '/s',
  }
  t.deepEqual(userFolders({ env, isRoot: false }), {
    config: '/e/jbfs',
    runtime: '/run/user/7/jbfs',
    cache: '/c/jbfs',
    log: '/s/jbfs/log',
    state: '/s/jbfs',
  })
})

test('without XDG variables, or with relative ones, they lie in the home folder', (t) => {
  const expected = {
    config: '/home/ann/.config/jbfs',
    runtime: '/home/ann/.local/state/jbfs/run',
    cache: '/home/ann/.cache/jbfs',
    log: '/home/ann/.local/state/jbfs/log',
    state: '/home/ann/.local/state/jbfs',
  }
  t.deepEqual(userFolders({ env: { HOME: '/home/ann' }, isRoot: false }), expected)
  t.deepEqual(userFolders({ env: { HOME: '/home/ann', XDG_CACHE_HOME: 'c' }, isRoot: false }), expected)
})
