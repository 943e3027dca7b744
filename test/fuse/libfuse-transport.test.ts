import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { mounts } from '../../src/base/mountinfo.ts'
import { mountOverLibfuse, unmounted } from '../../src/fuse/libfuse-transport.ts'
import { MemoryFilesystem } from '../support/memory-filesystem.ts'

test('a mount has ended when it is gone, not while it is hidden, and whatever is mounted in its place', async (t) => {
  const line = (id: number): string => `${id} 1 0:${id} / /mnt/backups ro - fuse.jbfs /backups ro\n`
  let looks = 0
  const tables = [line(7), line(7) + line(8), line(9)]
  await unmounted('/mnt/backups', () => mounts(tables[looks++]))
  t.is(looks, 3)
})

test('what can be changed is not mounted through libfuse', async (t) => {
  const mount = mountOverLibfuse({
    mountpoint: '/nowhere',
    source: 'memory',
    allowOther: false,
    operations: new MemoryFilesystem(),
    toErrno: () => 0,
    negativeValid: 0,
    logger: silentLogger,
  })
  await t.throwsAsync(mount, { code: 'refused', message: /for reading only.*--transport kernel/ })
})
