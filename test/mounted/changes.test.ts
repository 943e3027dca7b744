import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { isInPath } from '../../src/base/search-path.ts'
import { writeSampleAccount } from '../../src/sample/sample-account.ts'
import { type TemporaryFolder, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { type MountedMemory, mountMemory } from '../support/mounted-memory.ts'
import { output } from '../support/run.ts'
import { testUnless } from '../support/test-unless.ts'

/** A filesystem in memory stands for any that can be changed: what is tested is what lies between it and whoever makes the changes. */

const cases = {
  writing: 'files are written, appended to, truncated and sparse',
  large_writes: 'writes larger than a request, and appended pieces, come whole and in order',
  renaming: 'names are moved, replaced, exchanged, or kept',
  linking: 'files have more names, and symlinks targets of any bytes',
  special_nodes: 'FIFOs, devices and sockets are made',
  removing: 'what is removed is there while it is open; what is not empty stays',
  attributes: 'modes, owners and times are set, and inherited from setgid folders',
  permissions: 'the kernel refuses what permissions forbid; new files are of who makes them',
  setuid_bits: 'setuid bits do not survive a change by somebody who is not root',
  running_programs: 'a program that runs is not truncated',
  xattrs: 'xattrs are made, replaced and removed',
  allocating: 'ranges are allocated, punched and zeroed',
  copying_ranges: 'copy_file_range copies',
  mapping: 'what is written to mapped memory is in the file, and the other way round',
  random_changes: 'after any changes in any order a file has the bytes it should',
  unnamed_files: 'a file without a name gets one',
  names: 'names are bytes, 255 at most',
  listing: 'listings that the kernel keeps follow every change',
}

const missing = ['python3', 'rsync', 'git', 'tar'].find((program) => !isInPath(program))
const reason = whyNoMounts() ?? (missing && `there is no ${missing}`)
let mounted: MountedMemory | undefined
let sample: TemporaryFolder | undefined

test.before(async () => {
  if (reason !== undefined) return
  mounted = await mountMemory()
  sample = await temporaryFolder()
  await writeSampleAccount(join(sample.path, 'source'), { files: 150, seed: 2 })
})

test.after.always('everything is closed and forgotten in the end, and nothing went wrong', async (t) => {
  await sample?.[Symbol.asyncDispose]()
  if (mounted === undefined) return
  const { open, left } = await mounted.unmount()
  t.deepEqual({ open, left, complaints: mounted.complaints() }, { open: 0, left: 0, complaints: '' })
})

function changeTest(title: string, make: (folder: string, source: string) => Promise<string>): void {
  testUnless(test, reason)(title, async (t) => {
    const folder = await mkdtemp(join((mounted as MountedMemory).path, 'test-'))
    t.is(await make(folder, join((sample as TemporaryFolder).path, 'source')), '')
  })
}

const changeEverything = join(import.meta.dirname, '../support/change-everything.py')
for (const [name, title] of Object.entries(cases))
  changeTest(title, (folder) => output('python3', [changeEverything, folder, name]))

/** What differs between two trees, but for the file of 5 GiB, which is one hole: comparing it would be reading zeros for half a minute. */
function differences(source: string, copy: string): Promise<string> {
  const args = ['-aHAX', '--dry-run', '--itemize-changes', '--checksum', '--max-size=1G']
  return output('rsync', [...args, `${source}/`, `${copy}/`])
}

changeTest('rsync brings a tree there, and a changed one over it', async (folder, source) => {
  const rsync = ['-aHAX', '--delete', '--max-size=1G']
  await output('rsync', [...rsync, `${source}/`, `${folder}/`])
  const first = await differences(source, folder)
  await output('sh', [
    '-c',
    'find "$1" -type f | head -50 | while read -r f; do echo x >> "$f"; done',
    '',
    folder,
  ])
  await output('rsync', [...rsync, '--checksum', '--inplace', `${source}/`, `${folder}/`])
  return first + (await differences(source, folder))
})

changeTest('cp -a brings a tree there', async (folder, source) => {
  await output('cp', ['-a', '--sparse=always', source, join(folder, 'copy')])
  return differences(source, join(folder, 'copy'))
})

changeTest('tar brings a tree there, and away', async (folder, source) => {
  const xattrs = ['--xattrs', '--xattrs-include=*', '--acls']
  const [archive, copy] = [join(folder, 'archive'), join(folder, 'copy')]
  await mkdir(copy)
  await output('tar', ['-C', source, ...xattrs, '--sparse', '-cf', archive, '.'])
  await output('tar', ['-C', copy, ...xattrs, '-xpf', archive])
  const brought = await differences(source, copy)
  await output('rm', ['-r', copy])
  return brought + (await output('ls', ['-A', copy, '-d']).catch(() => ''))
})

changeTest('git works in it', async (folder) => {
  const git = (...args: string[]): Promise<string> =>
    output('git', ['-C', folder, '-c', 'user.name=jbfs', '-c', 'user.email=jbfs@localhost', ...args])
  await git('init', '-q')
  await output('sh', ['-c', 'for i in $(seq 100); do seq $i > "$1/$i"; done', '', folder])
  await git('add', '.')
  await git('commit', '-qm', 'one')
  await output('sh', ['-c', 'rm "$1/1"; echo x > "$1/2"; mkdir "$1/d"; mv "$1/3" "$1/d"', '', folder])
  await git('add', '-A')
  await git('commit', '-qm', 'two')
  await git('checkout', '-q', 'HEAD~')
  await git('gc', '-q')
  await git('fsck', '--strict')
  return git('status', '--short')
})
