import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { codeOf } from '../../src/base/errors.ts'
import { lgetxattr, lsetxattr } from '../../src/base/libc.ts'
import {
  aclWithMode,
  aclXattr,
  defaultAclXattr,
  effectOfAcl,
  inheritedAcl,
} from '../../src/filesystem/posix-acl.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { testUnless } from '../support/test-unless.ts'

/** Tags as `linux/posix_acl.h` has them, in the order that the kernel asks for. */
const Tag = { userObject: 1, user: 2, groupObject: 4, group: 8, mask: 16, other: 32 } as const
const noId = 0xffff_ffff

type Entry = readonly [tag: number, permissions: number, id?: number]

function aclOf(entries: readonly Entry[]): Buffer {
  const acl = Buffer.alloc(4 + entries.length * 8)
  acl.writeUInt32LE(2)
  for (const [index, [tag, permissions, id = noId]] of entries.entries()) {
    const at = acl.writeUInt16LE(tag, 4 + index * 8)
    acl.writeUInt32LE(id, acl.writeUInt16LE(permissions, at))
  }
  return acl
}

const permissions = fc.nat(7)
const named = fc.uniqueArray(fc.tuple(fc.nat(99_999), permissions), { maxLength: 3, selector: ([id]) => id })

/** Those that Linux takes: sorted, and with a mask where somebody is named. */
const acl = fc
  .record({
    user: permissions,
    group: permissions,
    other: permissions,
    mask: fc.option(permissions, { nil: undefined }),
    users: named,
    groups: named,
  })
  .map(({ user, group, other, mask, users, groups }) => {
    const several = (tag: number, some: readonly (readonly [number, number])[]): Entry[] =>
      [...some].sort(([a], [b]) => a - b).map(([id, allowed]) => [tag, allowed, id])
    const all = [...several(Tag.user, users), ...several(Tag.group, groups)]
    const masked = mask ?? (all.length > 0 ? 7 : undefined)
    return aclOf([
      [Tag.userObject, user],
      ...all.filter(([tag]) => tag === Tag.user),
      [Tag.groupObject, group],
      ...all.filter(([tag]) => tag === Tag.group),
      ...(masked === undefined ? [] : [[Tag.mask, masked] as const]),
      [Tag.other, other],
    ])
  })

/** Why the kernel keeps no ACLs of temporary files; undefined where it does. */
function whyNoAcls(): string | undefined {
  try {
    lgetxattr(Buffer.from(realpathSync(tmpdir())), Buffer.from(aclXattr))
    return undefined
  } catch (error) {
    if (codeOf(error) === 'ENOTSUP') return 'the file system of temporary files keeps no ACLs'
    if (codeOf(error) === 'no-koffi') return 'koffi is not installed'
    throw error
  }
}

const aclTest = testUnless(test, whyNoAcls())

aclTest('an ACL does to a mode, and chmod to an ACL, what Linux makes of both', async (t) => {
  const file = join(await temporaryFolder(t), 'file')
  writeFileSync(file, '')
  const path = Buffer.from(file)
  const name = Buffer.from(aclXattr)
  const mode = (): number => statSync(path).mode & 0o7777
  fc.assert(
    fc.property(acl, fc.nat(0o5777), fc.nat(0o777), (given, before, after) => {
      // Without setgid, which depends on who asks.
      chmodSync(path, before & ~0o2000)
      const effect = effectOfAcl(given, 0o100000 | (before & ~0o2000))
      lsetxattr(path, name, given)
      t.is(mode(), effect?.mode as number)
      const kept = lgetxattr(path, name)
      t.is(kept === undefined, effect?.isPlain as boolean)
      if (kept === undefined) return
      t.deepEqual(kept, given)
      chmodSync(path, after)
      t.deepEqual(aclWithMode(given, after), lgetxattr(path, name))
    }),
    { numRuns: 200 },
  )
})

aclTest('what is made in a folder with a default ACL has of it what Linux gives', async (t) => {
  const folder = await temporaryFolder(t)
  const [file, inner] = [join(folder, 'file'), join(folder, 'inner')]
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  fc.assert(
    fc.property(acl, fc.nat(0o777), (given, mode) => {
      lsetxattr(Buffer.from(folder), Buffer.from(defaultAclXattr), given)
      closeSync(openSync(file, 'wx', mode))
      mkdirSync(inner, mode)
      const inherited = inheritedAcl(given, mode)
      for (const path of [file, inner]) {
        t.is(statSync(path).mode & 0o7777, inherited?.mode as number)
        const found = lgetxattr(Buffer.from(path), Buffer.from(aclXattr))
        t.deepEqual(found, inherited?.isPlain ? undefined : inherited?.acl)
      }
      t.deepEqual(lgetxattr(Buffer.from(inner), Buffer.from(defaultAclXattr)), given)
      rmSync(file)
      rmdirSync(inner)
    }),
    { numRuns: 200 },
  )
})

/** What is no ACL, each for another reason. */
function notAcls(): Buffer[] {
  const plain: Entry[] = [
    [Tag.userObject, 6],
    [Tag.groupObject, 4],
    [Tag.other, 0],
  ]
  const whole = aclOf(plain)
  const wrongVersion = Buffer.from(whole)
  wrongVersion.writeUInt32LE(1)
  return [
    Buffer.alloc(3),
    whole.subarray(0, -1),
    wrongVersion,
    ...plain.map((left) => aclOf(plain.filter((entry) => entry !== left))),
  ]
}

test('what is no ACL is refused', (t) => {
  for (const bytes of notAcls()) t.is(effectOfAcl(bytes, 0o100644), undefined)
})

aclTest('what is no ACL is refused by Linux too', async (t) => {
  const path = join(await temporaryFolder(t), 'file')
  writeFileSync(path, '')
  for (const bytes of notAcls()) t.throws(() => lsetxattr(Buffer.from(path), Buffer.from(aclXattr), bytes))
})
