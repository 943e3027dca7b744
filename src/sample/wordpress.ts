import { gzipSync } from 'node:zlib'
import { ordinarySize, type Part, type SampleContext, someTimeBefore } from './part.ts'
import { inside } from './tree-writer.ts'

const modules = ['akismet', 'contact-form', 'gallery', 'seo', 'shop', 'cache', 'twentytwentyfive'] as const
const topics = ['admin', 'ajax', 'api', 'block', 'cart', 'editor', 'form', 'media', 'order', 'user'] as const
const roles = ['class', 'functions', 'template', 'view', 'style', 'script'] as const
const codeTypes = ['.php', '.php', '.php', '.js', '.css', '.html'] as const

const jpegStart = Buffer.from([0xff, 0xd8, 0xff, 0xe0])

/** Files in one folder of code or pictures: about as many as a plugin or a month of uploads has. */
const filesInFolder = 40

/** The home directory with a web site of about `files` files in `public_html`. */
export function* wordpress(context: SampleContext, files: number): Part {
  yield* homeFiles(context)
  yield* siteFiles(context)
  let left = files
  for (let number = 0; left > 0; number++) {
    const count = Math.min(left, filesInFolder)
    left -= count
    yield* number % 4 === 3
      ? uploads(context, Math.floor(number / 4), count)
      : code(context, number - Math.floor(number / 4), count)
  }
}

function* homeFiles(context: SampleContext): Part {
  const { tree, domain, text } = context
  const home = tree.at('homedir')
  const folder = (name: string, mode: number): void =>
    tree.folder(inside(home, name), { mode, modified: someTimeBefore(context) })
  const file = (name: string, content: string | Buffer, mode?: number): void =>
    tree.file(inside(home, name), content, { mode, modified: someTimeBefore(context) })
  tree.folder(home, { mode: 0o711, modified: someTimeBefore(context) })
  folder('.cpanel', 0o700)
  folder('.ssh', 0o700)
  folder('etc', 0o750)
  folder('logs', 0o700)
  folder('ssl', 0o755)
  folder('tmp', 0o755)
  folder('public_ftp', 0o750)
  folder('public_html', 0o750)
  file('.bashrc', '# .bashrc\nif [ -f /etc/bashrc ]; then\n\t. /etc/bashrc\nfi\n')
  file('.contactemail', `owner@${domain}\n`)
  file('.lastlogin', '198.51.100.7 # 2024-06-01 09:13:44 +0000\n', 0o600)
  file('.cpanel/nvdata.cache', '{}', 0o600)
  file('.ssh/known_hosts', text.ofSize(412), 0o600)
  file(`logs/${domain}-May-2024.gz`, gzipSync(text.ofSize(180_000)))
  tree.symlink(inside(home, 'www'), 'public_html', someTimeBefore(context))
  tree.symlink(inside(home, 'access-logs'), `/etc/apache2/logs/domlogs/${domain}`, someTimeBefore(context))
  yield
}

function* siteFiles(context: SampleContext): Part {
  const { tree, random, text } = context
  const site = tree.at('homedir/public_html')
  const file = (name: string, content: string | Buffer, mode?: number): void =>
    tree.file(inside(site, name), content, { mode, modified: someTimeBefore(context) })
  for (const name of ['wp-admin', 'wp-includes', 'wp-content', 'cgi-bin', '.well-known'])
    tree.folder(inside(site, name), { modified: someTimeBefore(context) })
  for (const name of ['plugins', 'themes', 'uploads', 'cache'])
    tree.folder(inside(site, `wp-content/${name}`), { modified: someTimeBefore(context) })
  file('.htaccess', '# BEGIN WordPress\nRewriteEngine On\nRewriteRule . /index.php [L]\n# END WordPress\n')
  file('index.php', "<?php\ndefine( 'WP_USE_THEMES', true );\nrequire __DIR__ . '/wp-blog-header.php';\n")
  file('wp-config.php', configuration(context), 0o600)
  file('robots.txt', 'User-agent: *\nDisallow: /wp-admin/\n')
  file('favicon.ico', random.bytes(1_150))
  file('wp-content/index.php', '<?php\n// Silence is golden.\n')
  for (const name of ['wp-login', 'wp-cron', 'wp-load', 'wp-settings', 'xmlrpc'])
    file(`${name}.php`, text.ofSize(random.logarithmic(2_000, 50_000), '<?php\n'))
  yield
}

/** A folder of a plugin, a theme or WordPress itself. */
function* code(context: SampleContext, number: number, count: number): Part {
  const { tree, random, text } = context
  const parent = random.pick(['wp-admin', 'wp-includes', 'wp-content/plugins', 'wp-content/themes'])
  const folder = tree.at(`homedir/public_html/${parent}/${random.pick(modules)}-${number}`)
  tree.folder(folder, { modified: someTimeBefore(context) })
  for (let index = 0; index < count; index++) {
    const name = `${random.pick(roles)}-${random.pick(topics)}-${index}${random.pick(codeTypes)}`
    const content = text.ofSize(ordinarySize(random), name.endsWith('.php') ? '<?php\n' : '')
    tree.file(inside(folder, name), content, { modified: someTimeBefore(context) })
    yield
  }
}

/** The pictures, which do not compress, of the month that lies `age` months before the backup. */
function* uploads(context: SampleContext, age: number, count: number): Part {
  const { tree, random, created } = context
  const backup = new Date(created * 1_000)
  const month = backup.getUTCFullYear() * 12 + backup.getUTCMonth() - age
  const year = tree.at(`homedir/public_html/wp-content/uploads/${Math.floor(month / 12)}`)
  if (age === 0 || month % 12 === 11) tree.folder(year, { modified: someTimeBefore(context) })
  const folder = inside(year, String((month % 12) + 1).padStart(2, '0'))
  tree.folder(folder, { modified: someTimeBefore(context) })
  for (let index = 0; index < count; index++) {
    const name = `IMG_${String(index).padStart(4, '0')}${random.pick(['', '-150x150', '-1024x768'])}.jpg`
    const content = random.bytes(ordinarySize(random))
    jpegStart.copy(content)
    tree.file(inside(folder, name), content, { modified: someTimeBefore(context) })
    yield
  }
}

function configuration({ account, random }: SampleContext): string {
  const constant = (name: string, value: string): string => `define( '${name}', '${value}' );\n`
  const keys = ['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY']
  return [
    '<?php\n',
    constant('DB_NAME', `${account}_wp`),
    constant('DB_USER', `${account}_wp`),
    constant('DB_PASSWORD', 'made-up'),
    constant('DB_HOST', 'localhost'),
    ...keys.map((key) => constant(key, random.hex(64))),
    "$table_prefix = 'wp_';\nrequire_once ABSPATH . 'wp-settings.php';\n",
  ].join('')
}
