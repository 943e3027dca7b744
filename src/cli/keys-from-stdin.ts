import { text } from 'node:stream/consumers'
import type { FieldChanges } from '../destination/settings/edit-text.ts'
import { CliError } from './errors.ts'
import { Terminal } from './terminal.ts'

/** Keys as a script hands them over; at a terminal they are asked for, and not shown. */
export async function keysFromStdin(): Promise<FieldChanges> {
  if (process.stdin.isTTY) {
    using terminal = new Terminal()
    const access_key = await terminal.askSecret('access key: ')
    return { access_key, secret_key: await terminal.askSecret('secret key: ') }
  }
  const [access_key, secret_key, ...others] = (await text(process.stdin)).trimEnd().split(/\r?\n/)
  if (!access_key || !secret_key || others.length > 0)
    throw new CliError(
      'usage',
      '--keys-from-stdin reads two lines from standard input: the access key, and the secret key',
    )
  return { access_key, secret_key }
}
