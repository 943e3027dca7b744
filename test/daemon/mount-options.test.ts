import test from 'ava'
import { type MountOptions, mountOptions } from '../../src/daemon/mount-options.ts'
import { parseDestination } from '../../src/destination/parse-destination.ts'

const withRefresh = (refreshSeconds: number): MountOptions =>
  mountOptions({
    destination: parseDestination('/backups'),
    mountpoint: '/mnt',
    stateDir: '/state',
    mountAgain: 'jbfs mount --read-write /backups /mnt',
    writer: 'jbfs test',
    cacheDir: '/cache',
    controlSocket: '/run/socket',
    refreshSeconds,
  })

test('an interval longer than a timer can wait is refused', (t) => {
  t.is(withRefresh(2_147_483).refreshSeconds, 2_147_483)
  t.throws(() => withRefresh(9_999_999), {
    code: 'bad-option',
    message: /^--refresh is at most 2147483 [^\n]*$/,
  })
  t.throws(() => withRefresh(1.5), { code: 'bad-option' })
})
