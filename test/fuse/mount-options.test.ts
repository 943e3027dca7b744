import test from 'ava'
import { fsnameOf, mountFlags } from '../../src/fuse/mount-options.ts'

test('only what can be changed is mounted for writing, and with the kernel’s check of permissions', (t) => {
  t.is(mountFlags({ allowOther: false, changes: false }), 'ro,nosuid,nodev')
  t.is(mountFlags({ allowOther: true, changes: false }), 'ro,nosuid,nodev,allow_other,default_permissions')
  t.is(mountFlags({ allowOther: false, changes: true }), 'nosuid,nodev,default_permissions')
  t.is(mountFlags({ allowOther: true, changes: true }), 'nosuid,nodev,allow_other,default_permissions')
})

test('a comma in a source begins no other option', (t) => {
  t.is(fsnameOf('s3://a,b\\c'), 's3://a\\,b\\\\c')
})
