import test from 'ava'
import { logFileOf } from '../../src/cli/log-file.ts'

test('mountpoints have logs of their own', (t) => {
  t.is(logFileOf('/mnt/backups', '/var/log/jbfs'), '/var/log/jbfs/mnt-backups.log')
  const mountpoints = [
    '/mnt/a/b',
    '/mnt/a-b',
    '/mnt/a%2db',
    '/mnt-a/b',
    '/mnt/a--b',
    '/mnt/a-/b',
    '/mnt/a/-b',
  ]
  t.is(new Set(mountpoints.map((mountpoint) => logFileOf(mountpoint, '/'))).size, mountpoints.length)
})
