import { text } from 'node:stream/consumers'
import type { FieldChanges } from '../destination/settings/edit-text.ts'
import { CliError } from './errors.ts'
import { Terminal } from './terminal.ts'

/** Keys as a script hands them over; at a terminal they are asked for, and not shown. */
export async function keysFromStdin(): Promise<FieldChanges> {
  if (process.stdin.isTTY) {
    using terminal = new Terminal()
    const access_key = await terminal.askSecret('access key: ')
    const secret_key = await terminal.askSecret('secret key: ')
    const session_token = await terminal.askSecret(
      'session token, of keys that are lent for a while [none]: ',
    )
    return { access_key, secret_key, session_token: session_token || undefined }
  }
  const [access_key, secret_key, session_token, ...others] = (await text(process.stdin))
    .trimEnd()
    .split(/\r?\n/)
  if (!access_key || !secret_key || session_token === '' || others.length > 0)
    throw new CliError(
      'usage',
      '--keys-from-stdin reads from standard input, a line each: the access key, the secret key and, of keys that are lent for a while, the session token',
    )
  // New keys do not go with the token of old ones.
  return { access_key, secret_key, session_token }
}
