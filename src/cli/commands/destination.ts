import type { Argv, CommandModule } from 'yargs'
import { addCommand } from './destination/add.ts'
import { editCommand } from './destination/edit.ts'
import { lifecycleCommand } from './destination/lifecycle.ts'
import { listCommand } from './destination/list.ts'
import { removeCommand } from './destination/remove.ts'
import { showCommand } from './destination/show.ts'
import { takeoverCommand } from './destination/takeover.ts'
import { testCommand } from './destination/test.ts'

/** A further one is a file of its own, and a line here. */
export const destinationCommands = [
  addCommand,
  listCommand,
  showCommand,
  editCommand,
  removeCommand,
  testCommand,
  takeoverCommand,
  lifecycleCommand,
]
const names = destinationCommands.map(({ command }) => String(command).split(' ')[0])

export const destinationCommand: CommandModule = {
  command: 'destination',
  describe: 'Set up the destinations that have a name',
  builder: (yargs: Argv) =>
    yargs
      // The types of yargs know no list of commands with arguments of their own each.
      .command(destinationCommands as CommandModule[])
      .demandCommand(1, `say what to do with destinations: ${names.join(', ')}`),
  handler: () => {},
}
