/** Mounts a `MemoryFilesystem` at the folder that is given and prints `mounted`; when it has been unmounted, what it holds, as JSON. */
import { silentLogger } from '../../src/base/log.ts'
import { Errno, FuseError } from '../../src/fuse/errno.ts'
import { mountOverKernel } from '../../src/fuse/kernel-transport.ts'
import { MemoryFilesystem } from './memory-filesystem.ts'

const [mountpoint = ''] = process.argv.slice(2)
const operations = new MemoryFilesystem()
const mount = await mountOverKernel({
  mountpoint,
  source: 'memory',
  allowOther: true,
  operations,
  negativeValid: 60,
  logger: { ...silentLogger, error: (fields, message) => console.error(message, fields) },
  toErrno: (error, operation) => {
    if (error instanceof FuseError) return Errno[error.code]
    console.error(operation, error)
    return Errno.EIO
  },
})
console.log('mounted')
await mount.done
console.log(
  JSON.stringify({ open: operations.openFiles, left: operations.leftNodes, counts: mount.counts() }),
)
