import { type Part, type SampleContext, someTimeBefore } from './part.ts'
import { inside } from './tree-writer.ts'

const users = ['info', 'sales', 'anna.berg', 'support', 'm.kowalski', 'noreply'] as const
const subfolders = ['', '.Sent', '.Trash', '.Archive.2024'] as const
const messagesInMaildir = 250

/** `email/<domain>/<user>/`, each a Maildir, with about `files` messages in all. */
export function* mail(context: SampleContext, files: number): Part {
  const { tree, domain } = context
  const boxes = tree.at(`email/${domain}`)
  tree.folder(tree.at('email'), { mode: 0o751, modified: someTimeBefore(context) })
  tree.folder(boxes, { mode: 0o750, modified: someTimeBefore(context) })
  let left = files
  for (let number = 0; number === 0 || left > 0; number++) {
    const round = Math.floor(number / users.length)
    const user = `${users[number % users.length]}${round === 0 ? '' : round + 1}`
    const mailbox = inside(boxes, user)
    tree.folder(mailbox, { mode: 0o751, modified: someTimeBefore(context) })
    tree.file(inside(mailbox, 'maildirsize'), `1073741824S,0C\n${left} 12\n`, {
      mode: 0o600,
      modified: someTimeBefore(context),
    })
    for (const subfolder of subfolders) {
      const count = Math.min(left, messagesInMaildir)
      left -= count
      yield* maildir(context, subfolder === '' ? mailbox : inside(mailbox, subfolder), subfolder, user, count)
    }
  }
}

function* maildir(
  context: SampleContext,
  folder: Buffer,
  subfolder: string,
  user: string,
  count: number,
): Part {
  const { tree, random, domain } = context
  if (subfolder !== '') {
    tree.folder(folder, { mode: 0o751, modified: someTimeBefore(context) })
    tree.file(inside(folder, 'maildirfolder'), '', { mode: 0o600, modified: someTimeBefore(context) })
  }
  for (const name of ['cur', 'new', 'tmp'])
    tree.folder(inside(folder, name), { mode: 0o751, modified: someTimeBefore(context) })
  for (let index = 0; index < count; index++) {
    const received = someTimeBefore(context)
    const size = random.chance(0.03)
      ? random.integer(100 << 10, 1 << 20)
      : random.logarithmic(1 << 10, 48 << 10)
    // As Dovecot names them: its time, process and sequence, then the sizes and, once seen, the flags.
    const unique = `${received}.M${random.integer(0, 999_999)}P${random.integer(300, 32_767)}.server.${domain}`
    const isNew = subfolder === '' && random.chance(0.1)
    const name = `${isNew ? 'new' : 'cur'}/${unique},S=${size},W=${size + 40}${isNew ? '' : `:2,${random.pick(['S', 'RS', '', 'FS'])}`}`
    tree.file(inside(folder, name), message(context, user, size, index), { mode: 0o660, modified: received })
    yield
  }
}

function message({ text, domain }: SampleContext, user: string, size: number, number: number): Buffer {
  const header = [
    `Return-Path: <customer${number}@example.org>`,
    `Delivered-To: ${user}@${domain}`,
    `From: Customer ${number} <customer${number}@example.org>`,
    `To: ${user}@${domain}`,
    `Subject: Order ${number}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
  ]
  return text.ofSize(size, `${header.join('\n')}\n\n`)
}
