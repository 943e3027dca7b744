import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes } from 'yargs'
import { canonicalMountpoint } from '../mountpoint.ts'
import { stateDirFlag, stateDirOf } from '../options.ts'
import { unmountAndWait } from '../unmount-and-wait.ts'
import { unpublishedExits } from '../unpublished-text.ts'

type UmountArguments = InferredOptionTypes<typeof stateDirFlag> & { mountpoint: string; lazy: boolean }

export const umountCommand: CommandModule<object, UmountArguments> = {
  command: 'umount <mountpoint>',
  aliases: ['unmount'],
  describe: 'Publish what was written, unmount, and wait until the daemon has ended',
  builder: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'where it is mounted' })
      .option('lazy', {
        type: 'boolean',
        default: false,
        describe: 'detach now what is in use; the daemon publishes, and ends, with its last user',
      })
      .options(stateDirFlag)
      .example('$0 umount /mnt/backups', 'also after a crash of the daemon')
      .epilogue(unpublishedExits),
  handler: runUmount,
}

async function runUmount({ mountpoint, lazy, ...args }: ArgumentsCamelCase<UmountArguments>): Promise<void> {
  await unmountAndWait(await canonicalMountpoint(mountpoint), { lazy, stateDir: stateDirOf(args) })
}
