import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../../src/base/errors.ts'
import type { Random } from '../../../src/sample/random.ts'
import type { FaultProxy } from '../fault-proxy.ts'
import type { S3Server } from '../s3-server.ts'

/** Something that goes wrong for a while, again and again. */
export interface Fault {
  /** Errors that a system call may get from it. */
  readonly codes: readonly string[]
  /** Whether those fail, too, who only read. */
  readonly blindsReaders: boolean
  /** Whether a mount needs its end. */
  readonly keepsFromMounting: boolean
  begin(random: Random): Promise<void>
  /** Also when it has not begun. */
  end(): Promise<void>
}

/** The S3 server is killed, and started again on the same data. */
export function serverFault(server: Pick<S3Server, 'kill' | 'restart'>): Fault {
  return {
    codes: ['EIO'],
    blindsReaders: true,
    keepsFromMounting: true,
    begin: () => server.kill(),
    end: () => server.restart(),
  }
}

/** Requests of the writer are refused, all of them or only those that write. */
export function stormFault(proxy: FaultProxy): Fault {
  return {
    codes: ['EIO'],
    blindsReaders: false,
    keepsFromMounting: true,
    async begin(random) {
      const all = random.chance(0.5)
      const part = random.pick([0.3, 0.7, 1])
      proxy.inject({ fault: 503, match: ({ kind }) => (all || kind === 'PUT') && random.chance(part) })
    },
    async end() {
      proxy.reset()
    },
  }
}

/** The disk of the state folder has no room left, but for a few pages. */
export function fullDiskFault(folder: string): Fault {
  const ballast = join(folder, 'ballast')
  return {
    codes: ['ENOSPC'],
    blindsReaders: false,
    keepsFromMounting: false,
    async begin(random) {
      await using file = await open(ballast, 'w')
      let size = 0
      for (const piece of [1 << 20, 4096]) {
        try {
          for (const zeros = Buffer.alloc(piece); ; ) size += (await file.write(zeros)).bytesWritten
        } catch (error) {
          if (codeOf(error) !== 'ENOSPC') throw error
        }
      }
      await file.truncate(Math.max(0, size - random.integer(0, 24) * 4096))
    },
    async end() {
      await rm(ballast, { force: true })
    },
  }
}
