import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs'
import { controlSocketPath } from '../../daemon/control-socket.ts'
import { CliError } from '../errors.ts'
import { canonicalMountpoint } from '../mountpoint.ts'
import { askMount } from '../mounts.ts'
import { ownFolders } from '../own-folders.ts'
import { publishAndWait } from '../publish-and-wait.ts'
import { unpublishedExits } from '../unpublished-text.ts'

interface PublishArguments {
  mountpoint: string
}

export const publishCommand: CommandModule<object, PublishArguments> = {
  command: 'publish <mountpoint>',
  describe: 'Let all readers see what was written at a mount, now',
  builder: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'where it is mounted' })
      .example('$0 publish /mnt/backups', 'when a backup is complete')
      .epilogue(unpublishedExits),
  handler: runPublish,
}

async function runPublish({ mountpoint: typed }: ArgumentsCamelCase<PublishArguments>): Promise<void> {
  const mountpoint = await canonicalMountpoint(typed)
  const socket = controlSocketPath(ownFolders().runtime, mountpoint)
  const status = await askMount(socket)
  if (status === undefined) throw new CliError('not-mounted', `jbfs has nothing mounted at ${mountpoint}`)
  if (status.writing === undefined)
    throw new CliError('usage', `${mountpoint} is mounted for reading only: there is nothing to publish`)
  await publishAndWait(socket)
}
