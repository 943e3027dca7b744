import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
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

/** A file where the kernel keeps ACLs; undefined where it does not. */
async function fileWithAcls(t: ExecutionContext): Promise<Buffer | undefined> {
  const path = join(await temporaryFolder(t), 'file')
  writeFileSync(path, '')
  try {
    lgetxattr(Buffer.from(path), Buffer.from(aclXattr))
    return Buffer.from(path)
  } catch (error) {
    if (codeOf(error) === 'ENOTSUP' || codeOf(error) === 'no-koffi') return undefined
    throw error
  }
}

test('an ACL does to a mode, and chmod to an ACL, what Linux makes of both', async (t) => {
  const path = await fileWithAcls(t)
  if (path === undefined) {
    t.pass('there are no ACLs here')
    return
  }
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

test('what is made in a folder with a default ACL has of it what Linux gives', async (t) => {
  if ((await fileWithAcls(t)) === undefined) {
    t.pass('there are no ACLs here')
    return
  }
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

test('what is no ACL is refused, as Linux does', async (t) => {
  const path = await fileWithAcls(t)
  const plain: Entry[] = [
    [Tag.userObject, 6],
    [Tag.groupObject, 4],
    [Tag.other, 0],
  ]
  const whole = aclOf(plain)
  const wrongVersion = Buffer.from(whole)
  wrongVersion.writeUInt32LE(1)
  const refused = [
    Buffer.alloc(3),
    whole.subarray(0, -1),
    wrongVersion,
    ...plain.map((left) => aclOf(plain.filter((entry) => entry !== left))),
  ]
  for (const bytes of refused) {
    t.is(effectOfAcl(bytes, 0o100644), undefined)
    if (path !== undefined) t.throws(() => lsetxattr(path, Buffer.from(aclXattr), bytes))
  }
})
