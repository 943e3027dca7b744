import { lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext, TestFn } from 'ava'
import { writeSampleAccount } from '../../src/sample/sample-account.ts'
import { jbfsProgram, mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output, run } from '../support/run.ts'
import { testUnless } from '../support/test-unless.ts'

export interface SuiteOptions {
  readonly transport: 'kernel' | 'libfuse'
  /** What the transport cannot show; each with its reason in native-notes/fuse.md. */
  readonly lacks: ReadonlySet<'names' | 'nanoseconds' | 'links' | 'holes'>
}

interface Mounted {
  readonly source: string
  readonly snapshot: string
  readonly mountpoint: string
}

/** A sample account, imported to a directory and mounted once for all tests of a file. */
async function mountSample(options: SuiteOptions): Promise<Mounted & AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack()
  const folder = cleanup.use(await temporaryFolder())
  const source = join(folder.path, 'source')
  const destination = join(folder.path, 'destination')
  await mkdir(destination)
  await writeSampleAccount(source, { files: 600, seed: 1 })
  await output(process.execPath, [jbfsProgram, 'import', source, `${destination}/customer/snap.1`])
  const args = ['--transport', options.transport]
  const mount = cleanup.use(await mountDestination(folder.path, destination, { args }))
  const all = cleanup.move()
  return {
    source,
    snapshot: join(mount.path, 'customer/snap.1'),
    mountpoint: mount.path,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** `find` over a folder, sorted, as bytes: what is the same in two trees that are the same. */
async function inventory(folder: string, format: string): Promise<string[]> {
  const listed = await output('find', ['.', '-printf', `${format}\\0`], { cwd: folder })
  return listed.split('\0').sort()
}

const isUtf8 = (line: string): boolean => {
  const bytes = Buffer.from(line, 'latin1')
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes)
}

/** What any mount must do, whichever transport carries it. */
export function mountedSuite(test: TestFn, options: SuiteOptions): void {
  const { lacks } = options
  const reason = whyNoMounts()
  let mounted: (Mounted & AsyncDisposable) | undefined

  test.before(async () => {
    if (reason === undefined) mounted = await mountSample(options)
  })
  test.after.always(() => mounted?.[Symbol.asyncDispose]())

  const mountedTest = (
    title: string,
    body: (t: ExecutionContext, mounted: Mounted) => Promise<void>,
  ): void => {
    testUnless(test.serial, reason)(`${options.transport}: ${title}`, (t) => body(t, mounted as Mounted))
  }

  mountedTest('find sees what the source has', async (t, { source, snapshot }) => {
    const type = lacks.has('nanoseconds') ? '%m %U %G %y %l %p' : '%m %U %G %y %s %T@ %l %p'
    const format = lacks.has('links') ? type : `%n ${type}`
    const [expected, seen] = await Promise.all([inventory(source, format), inventory(snapshot, format)])
    // A target that is not UTF-8 is shown with U+FFFD in it.
    const mangled = Buffer.from('\uFFFD').toString('latin1')
    const shown = seen.filter((line) => !line.includes(mangled))
    t.deepEqual(shown, lacks.has('names') ? expected.filter(isUtf8) : expected)
  })

  mountedTest('every byte is the source’s', async (t, { source, snapshot }) => {
    const sums = async (folder: string): Promise<string[]> => {
      // The file of 5 GiB is one hole but for a few bytes: cmp below, which knows holes, is for that one.
      const listed = await output(
        'sh',
        ['-c', 'find . -type f -size -100M -print0 | xargs -0 sha256sum -z'],
        { cwd: folder },
      )
      return listed.split('\0').sort()
    }
    const [expected, seen] = await Promise.all([sums(source), sums(snapshot)])
    t.deepEqual(seen, lacks.has('names') ? expected.filter(isUtf8) : expected)
  })

  mountedTest('every write is EROFS', async (t, { snapshot, mountpoint }) => {
    for (const folder of [mountpoint, join(snapshot, '..'), snapshot, join(snapshot, 'homedir')]) {
      await t.throwsAsync(writeFile(join(folder, 'new'), 'x'), { code: 'EROFS' }, folder)
      await t.throwsAsync(mkdir(join(folder, 'new')), { code: 'EROFS' }, folder)
      const touched = await run('touch', [folder])
      t.regex(touched.stderr, /Read-only file system/)
    }
    await t.throwsAsync(writeFile(join(snapshot, 'jetbackup.index'), 'x'), { code: 'EROFS' })
    const removed = await run('rm', ['-rf', join(snapshot, 'homedir')])
    t.regex(removed.stderr, /Read-only file system/)
    const attribute = await run('setfattr', ['-n', 'user.new', '-v', 'x', join(snapshot, 'homedir')])
    t.regex(attribute.stderr, /Read-only file system/)
  })

  mountedTest('the repository shows its snapshots and the latest, nothing else', async (t, mounted) => {
    const { snapshot, mountpoint } = mounted
    t.deepEqual(await readdir(mountpoint), ['customer'])
    t.deepEqual((await readdir(join(mountpoint, 'customer'))).sort(), ['latest', 'snap.1'])
    t.is(await readlink(join(mountpoint, 'customer/latest')), 'snap.1')
    const manifest = JSON.parse(await readFile(join(snapshot, 'jetbackup.index'), 'utf8'))
    t.is(Math.floor((await lstat(snapshot)).mtimeMs / 1000), manifest.created)
  })

  mountedTest('user.jbfs attributes are there to be asked for, not listed', async (t, { snapshot }) => {
    const file = join(snapshot, 'jetbackup.index')
    const value = async (name: string): Promise<string> =>
      (await output('getfattr', ['--absolute-names', '--only-values', '-n', name, file])).trim()
    t.regex(await value('user.jbfs.object'), /^[0-9a-f]{24}$/)
    const sum = (await output('sha256sum', [file])).slice(0, 64)
    t.is(await value('user.jbfs.sha256'), sum)
    t.is(await value('user.jbfs.snapshot'), 'snap.1')
    t.notRegex(await output('getfattr', ['--absolute-names', '-d', '-m', '-', file]), /jbfs/)
  })

  mountedTest('df, and a missing name', async (t, { mountpoint, snapshot }) => {
    t.regex(await output('df', ['-P', mountpoint]), /100%/)
    await t.throwsAsync(lstat(join(snapshot, 'absent')), { code: 'ENOENT' })
    await t.throwsAsync(lstat(join(mountpoint, 'customer/snap.2')), { code: 'ENOENT' })
  })

  if (lacks.size > 0) return

  mountedTest(
    'rsync, with everything it can compare, finds nothing to do',
    async (t, { source, snapshot }) => {
      const args = ['-aHAX', '--dry-run', '--itemize-changes', '--checksum', `${source}/`, `${snapshot}/`]
      t.is(await output('rsync', args), '')
    },
  )

  mountedTest('cp -a and tar bring back the same tree', async (t, { source, snapshot }) => {
    await using target = await temporaryFolder()
    await output('cp', ['-a', '--sparse=always', snapshot, join(target.path, 'copied')])
    await mkdir(join(target.path, 'extracted'))
    await output('sh', [
      '-c',
      'tar -C "$1" --xattrs --xattrs-include="*" --acls --sparse -cf - . | tar -C "$2" --xattrs --xattrs-include="*" --acls -xpf -',
      'sh',
      snapshot,
      join(target.path, 'extracted'),
    ])
    for (const copy of ['copied', 'extracted']) {
      const args = [
        '-aHAX',
        '--dry-run',
        '--itemize-changes',
        '--checksum',
        // The file of 5 GiB has been compared above; here that would be reading zeros for half a minute.
        '--max-size=1G',
        `${source}/`,
        `${join(target.path, copy)}/`,
      ]
      t.is(await output('rsync', args), '', copy)
    }
  })

  mountedTest('holes are holes, and take no blocks', async (t, { source, snapshot }) => {
    const format = '%s %b %p'
    const sparse = async (folder: string): Promise<string[]> => {
      const listed = await output('find', ['.', '-type', 'f', '-size', '+1000M', '-printf', `${format}\\0`], {
        cwd: folder,
      })
      return listed.split('\0').filter((line) => line !== '')
    }
    const [line] = await sparse(snapshot)
    t.is((await sparse(snapshot)).length, (await sparse(source)).length)
    const [size, blocks] = (line as string).split(' ').map(Number) as [number, number]
    t.true(blocks * 512 < size / 100)
  })

  mountedTest('readdir and inode numbers follow the reading order', async (t, { snapshot }) => {
    const listed = await output('find', ['.', '-printf', '%i %y %n %p\\0'], { cwd: snapshot })
    const entries = listed
      .split('\0')
      .filter((line) => line !== '')
      .map((line) => /^(\d+) (.) (\d+) (.*)$/s.exec(line) as RegExpExecArray)
      .map(([, ino, type, links, path]) => ({
        ino: Number(ino),
        type,
        links: Number(links),
        path: path as string,
      }))
    const inos = entries.filter(({ type, links }) => type === 'd' || links === 1).map(({ ino }) => ino)
    t.deepEqual(
      inos,
      inos.toSorted((a, b) => a - b),
    )
    t.is(new Set(inos).size, inos.length)
    const paths = entries.map(({ path }) => path)
    const files = paths.filter((path) => /^\.\/homedir\/[^/]+$/.test(path))
    const isFolder = new Map(entries.map(({ path, type }) => [path, type === 'd']))
    const inOrder = files.toSorted(
      (a, b) => Number(isFolder.get(a)) - Number(isFolder.get(b)) || (a < b ? -1 : 1),
    )
    t.deepEqual(files, inOrder)
  })
}
