import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomKey } from '../destination/settings/settings.ts'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { runAtTerminal, type TerminalResult } from '../support/terminal.ts'

/** `jbfs destination add`, `edit` and `remove` as somebody at a terminal answers them. */

interface Place {
  readonly config: string
  answer(args: string, ...answers: [question: string, answer: string][]): Promise<TerminalResult>
  text(): Promise<string>
}

function terminalTest(title: string, body: (t: ExecutionContext, place: Place) => Promise<void>): void {
  test(title, async (t) => {
    await using folder = await temporaryFolder()
    const config = join(folder.path, 'destinations.toml')
    await body(t, {
      config,
      answer: (args, ...answers) =>
        runAtTerminal(
          [process.execPath, jbfsProgram, 'destination', ...args.split(' '), '--config', config],
          answers,
        ),
      text: () => readFile(config, 'utf8'),
    })
  })
}

const enter = '\r'

terminalTest('add asks for each field, checks each answer, and shows no key', async (t, place) => {
  const [access, secret] = [randomKey(), randomKey()]
  const { code, shown } = await place.answer(
    'add',
    ['name: ', 'off/site\r'],
    ['is no name for a destination', 'offsite\r'],
    ['who runs the store: ', 'jetbakup\r'],
    ['(did you mean jetbackup?)', 'jetbackup\r'],
    ['bucket: ', 'b-7\r'],
    ['eu-north-1, us-east-1): ', enter],
    ['region is missing', 'eu-wst-1\r'],
    ['(did you mean eu-west-1?)', 'eu-west-1\r'],
    ['folder in the bucket: ', 'web\r'],
    ['must be a path that starts with /', '/web\r'],
    ['[no]: ', enter],
    [`[${hostname()}]: `, 'web 7\r'],
    ['access key [none', `${access}\r`],
    ['secret key: ', `${secret}\r`],
    ["server's certificate [yes]: ", enter],
    ['certificate authority [none]: ', enter],
    ['[3]: ', '9000\r'],
    ['must be a whole number from 0 to 100', '5\r'],
    ['[64]: ', enter],
  )
  t.is(code, 0, shown)
  t.false(shown.includes(access) || shown.includes(secret))
  t.is(
    await place.text(),
    `[offsite]\nvendor = "jetbackup"\nbucket = "b-7"\nregion = "eu-west-1"\nbackup_directory = "/web"\nowner = "web 7"\n` +
      `access_key = "${access}"\nsecret_key = "${secret}"\nhttp_retries = 5\n`,
  )

  // Again, with what there is now.
  const edited = await place.answer(
    'edit offsite',
    ['who runs the store [jetbackup]: ', enter],
    ['bucket [b-7]: ', 'b-8\r'],
    ['[eu-west-1]: ', enter],
    ['[/web]: ', enter],
    ['[no]: ', 'yes\r'],
    ['[web 7]: ', '-\r'],
    ['access key [as it is]: ', '-\r'],
    ['in place of those here [none]: ', enter],
    ['[yes]: ', enter],
    ['[none]: ', enter],
    ['[5]: ', enter],
    ['[64]: ', enter],
  )
  t.is(edited.code, 0, edited.shown)
  t.is(
    await place.text(),
    '[offsite]\nvendor = "jetbackup"\nbucket = "b-8"\nregion = "eu-west-1"\nbackup_directory = "/web"\nhttp_retries = 5\n' +
      'read_only = true\n',
  )

  const stays = await place.answer('remove offsite', ['? [y/N] ', enter])
  t.regex(stays.shown, /offsite stays/)
  const gone = await place.answer('remove offsite', ['? [y/N] ', 'y\r'])
  t.is(gone.code, 0)
  t.is(await place.text(), '')
})

terminalTest('Ctrl-C and Ctrl-D leave things as they are', async (t, place) => {
  for (const key of ['\u0003', '\u0004']) {
    const { code, shown } = await place.answer(
      'add offsite',
      ['who runs the store: ', 'wasabi\r'],
      ['bucket: ', key],
    )
    t.is(code, 130, shown)
    t.regex(shown, /jbfs: interrupted\r\n$/)
    t.false(existsSync(place.config))
  }
})
