import test from 'ava'
import { mounts } from '../../src/base/mountinfo.ts'
import { unmounted } from '../../src/fuse/libfuse-transport.ts'

test('a mount has ended when it is gone, not while it is hidden, and whatever is mounted in its place', async (t) => {
  const line = (id: number): string => `${id} 1 0:${id} / /mnt/backups ro - fuse.jbfs /backups ro\n`
  let looks = 0
  const tables = [line(7), line(7) + line(8), line(9)]
  await unmounted('/mnt/backups', () => mounts(tables[looks++]))
  t.is(looks, 3)
})
