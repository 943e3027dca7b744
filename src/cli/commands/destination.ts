import type { Argv, CommandModule } from 'yargs'
import { addCommand } from './destination/add.ts'
import { editCommand } from './destination/edit.ts'
import { listCommand } from './destination/list.ts'
import { removeCommand } from './destination/remove.ts'
import { showCommand } from './destination/show.ts'

export const destinationCommand: CommandModule = {
  command: 'destination',
  describe: 'Set up the destinations that have a name',
  builder: (yargs: Argv) =>
    yargs
      .command(addCommand)
      .command(listCommand)
      .command(showCommand)
      .command(editCommand)
      .command(removeCommand)
      .demandCommand(1, 'say what to do with destinations: add, list, show, edit, remove'),
  handler: () => {},
}
