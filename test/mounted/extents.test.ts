import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { publishSnapshot } from '../../src/snapshot/publish.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { manifest, totals } from '../snapshot/publish-sample.ts'
import { fileInode, nameOf, objectOf, writeTree } from '../snapshot/write-tree.ts'
import { mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output } from '../support/run.ts'
import { testUnless } from '../support/test-unless.ts'

testUnless(test, whyNoMounts())(
  'a file of thousands of extents is read, and its holes are found',
  async (t) => {
    await using folder = await temporaryFolder()
    const destination = join(folder.path, 'destination')
    const count = 4096
    const content = Buffer.alloc(count, 'x')
    const object = { ...objectOf(1, count), sha256: createHash('sha256').update(content).digest() }
    await mkdir(join(destination, 'customer/files'), { recursive: true })
    await writeFile(join(destination, 'customer/files', object.id), content)
    const indexPath = join(folder.path, 'index')
    writeTree(indexPath, (working) => {
      working.addObject(object)
      const extents = Array.from({ length: count }, (_, i) => ({
        offset: 256 * i,
        length: 1,
        objectOffset: i,
      }))
      const inode = fileInode({ size: 256 * count, object: object.id, extents })
      working.addDentry(1, nameOf('sparse'), working.addInode(inode))
    })
    const store = new DirectoryStore(destination)
    await publishSnapshot({ store, repository: 'customer/', number: 1, indexPath, manifest, totals })
    await using mount = await mountDestination(folder.path, destination)
    const file = join(mount.path, 'customer/snap.1/sparse')
    const expected = Buffer.alloc(256 * count)
    for (let i = 0; i < count; i++) expected[256 * i] = 'x'.charCodeAt(0)
    const read = await output('cat', [file], { timeout: 20_000 })
    t.true(Buffer.from(read, 'latin1').equals(expected))
    t.is((await output('stat', ['-c', '%b', file])).trim(), String(count / 512))
    await output('cp', ['--sparse=always', file, join(folder.path, 'copy')], { timeout: 20_000 })
    await output('cmp', [file, join(folder.path, 'copy')])
  },
)
