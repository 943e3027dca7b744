import { gzipSync } from 'node:zlib'
import { type Part, type SampleContext, someTimeBefore } from './part.ts'
import { inside } from './tree-writer.ts'

/** All of the account that is neither its home directory nor its mail, each in the folder JetBackup keeps it in. */
export function* configuration(context: SampleContext, databases: number): Part {
  const { tree, account, domain, text, random } = context
  const addon = `shop.${domain}`
  const folder = (path: string): void =>
    tree.folder(tree.at(path), { mode: 0o700, modified: someTimeBefore(context) })
  const file = (path: string, content: string | Buffer): void =>
    tree.file(tree.at(path), content, { mode: 0o600, modified: someTimeBefore(context) })

  folder('database')
  folder('database_user')
  for (let number = 0; number < databases; number++) {
    const database = `${account}_${number === 0 ? 'wp' : `app${number}`}`
    file(`database/${database}.sql.gz`, dump(context, database))
    file(
      `database_user/${database}.user`,
      `name: ${database}\npassword: *${random.hex(40).toUpperCase()}\ndatabase \`${database}\`:ALL PRIVILEGES\n`,
    )
    yield
  }

  folder('ftp')
  for (const login of [account, 'designer'])
    file(
      `ftp/${login}.acct`,
      `name: ${login}\npassword: $6$${random.hex(16)}\npath: /home/${account}/public_ftp\n`,
    )

  folder('domain')
  folder('config')
  folder('config/cp')
  folder('config/meta')
  folder('config/dnszones')
  folder('certificate')
  for (const name of [domain, addon]) {
    file(`domain/${name}.zone`, zone(name))
    file(`config/dnszones/${name}.db`, zone(name))
    file(`certificate/${name}.crt`, pem(context, 'CERTIFICATE', 1_400))
    file(`certificate/${name}.cabundle`, pem(context, 'CERTIFICATE', 2_800))
  }
  file(`config/cp/${account}`, `DNS=${domain}\nDNS1=${addon}\nOWNER=root\nPLAN=default\nUSER=${account}\n`)
  file('config/meta/homedir_paths', `/home/${account}\n`)
  file('config/userdata', text.ofSize(3_000))
  yield

  folder('cronjob')
  file(
    `cronjob/${account}`,
    `MAILTO="owner@${domain}"\n*/15 * * * * /usr/local/bin/php /home/${account}/public_html/wp-cron.php\n`,
  )

  folder('jetbackup.configs')
  for (const kind of ['email', 'domain']) folder(`jetbackup.configs/${kind}`)
  for (const [name, type] of [
    [domain, '1'],
    [addon, '2'],
  ] as const)
    file(`jetbackup.configs/domain/${name}.conf`, encoded({ domain: name, type }))
  for (const user of ['info', 'sales'])
    file(
      `jetbackup.configs/email/${user}@${domain}.conf`,
      encoded({ account: user, domain, password: `$6$${random.hex(16)}` }),
    )
  yield
}

/** The top folders, as the `items` of `jetbackup.index` name them. */
const items = [
  { type: 'homedir', path: 'homedir' },
  { type: 'email', path: 'email' },
  { type: 'database', path: 'database' },
  { type: 'database_user', path: 'database_user' },
  { type: 'ftp', path: 'ftp' },
  { type: 'domain', path: 'domain' },
  { type: 'certificate', path: 'certificate' },
  { type: 'cronjob', path: 'cronjob' },
  { type: 'config', path: 'config' },
  { type: 'jetbackup.configs', path: 'jetbackup.configs' },
] as const

export function* manifest({ tree, account, created }: SampleContext): Part {
  const content = `${JSON.stringify({ created, suspended: false, account, items }, null, 2)}\n`
  tree.file(inside(tree.root, 'jetbackup.index'), content, { mode: 0o600, modified: created })
  yield
}

function dump({ random, text }: SampleContext, database: string): Buffer {
  const start = `-- MySQL dump 10.19\n-- Host: localhost    Database: ${database}\nCREATE TABLE \`wp_posts\` (\n`
  return gzipSync(text.ofSize(random.logarithmic(64 << 10, 2 << 20), start))
}

function zone(domain: string): string {
  return [
    '$TTL 14400',
    `@ 86400 IN SOA ns1.example.net. owner.${domain}. 2025060101 3600 1800 1209600 86400`,
    '@ 86400 IN NS ns1.example.net.',
    '@ 14400 IN A 198.51.100.20',
    `www 14400 IN CNAME ${domain}.`,
    `@ 14400 IN MX 0 ${domain}.`,
    '',
  ].join('\n')
}

function pem({ random }: SampleContext, kind: string, size: number): string {
  const lines =
    random
      .bytes(size)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${kind}-----\n${lines.join('\n')}\n-----END ${kind}-----\n`
}

/** JSON with every value in base64, as JetBackup writes its own settings. */
function encoded(values: Readonly<Record<string, string>>): string {
  const entries = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  return `${JSON.stringify(Object.fromEntries(entries))}\n`
}
