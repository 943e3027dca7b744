import { DeviceChannel } from './device-channel.ts'
import { mount, raiseReadAhead, unmounterOf, watchForCrash } from './mount.ts'
import { checksPermissions } from './mount-options.ts'
import { Session } from './session.ts'
import type { Mount, TransportOptions } from './transport.ts'

/** jbfs speaks the FUSE protocol on /dev/fuse itself. */
export async function mountOverKernel(options: TransportOptions): Promise<Mount> {
  const { mountpoint, source, allowOther, operations, logger, toErrno, negativeValid } = options
  const flags = { allowOther, changes: operations.changes !== undefined }
  const fd = options.fuseFd ?? mount({ mountpoint, source, ...flags })
  const session = new Session({
    channel: new DeviceChannel(fd),
    operations,
    logger,
    toErrno,
    negativeValid,
    // Where permissions hold, ACLs are part of them.
    enforceAcls: checksPermissions(flags),
  })
  const done = session.run()
  done.catch(() => {})
  if (options.fuseFd === undefined) watchForCrash(mountpoint)
  await session.initialized
  raiseReadAhead(mountpoint, logger)
  return {
    done,
    unmount: unmounterOf(mountpoint),
    invalidateEntry: (parent, name) => session.invalidateEntry(parent, name),
    invalidateInode: (nodeid, offset, length) => session.invalidateInode(nodeid, offset, length),
    counts: () => Object.fromEntries(session.counts),
  }
}
