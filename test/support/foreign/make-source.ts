import { chmodSync, lchownSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { placeOf } from './source-tree.ts'

export interface SourceOptions {
  /** Whether times are between seconds, too. */
  readonly milliseconds?: boolean
  /** Whether names are there that are not UTF-8. */
  readonly anyName?: boolean
  /** Changes what is in some of the files, and which there are: another day of the same account. */
  readonly day?: number
}

/** April 2022, as in the vendor's examples. */
const firstTime = 1_650_000_000

/** Makes an account's backup in a folder that is not there yet: the same for the same options, to the byte. */
export function makeSource(
  folder: string,
  { milliseconds = false, anyName = false, day = 0 }: SourceOptions = {},
): void {
  const made: string[] = []
  const add = (path: string, mode: number | undefined, make: (place: Buffer) => void): void => {
    const place = placeOf(folder, path)
    make(place)
    if (process.getuid?.() === 0 && path !== '') lchownSync(place, 1001, 1002)
    if (mode !== undefined) chmodSync(place, mode)
    made.push(path)
  }
  const addFolder = (path: string, mode = 0o755): void => add(path, mode, (place) => mkdirSync(place))
  const addFile = (path: string, content: string | Buffer, mode = 0o644): void =>
    add(path, mode, (place) => writeFileSync(place, content))

  addFolder('')
  for (const path of ['config', 'config/cp', 'database', 'email', 'email/acme.example']) addFolder(path)
  addFile('config/cp/acme', 'DNS=acme.example\nUSER=acme\n', 0o600)
  // An object that is gzip because the backed up file is.
  addFile('database/acme_wp.sql.gz', gzipSync(`-- day ${day}\nINSERT INTO wp_posts VALUES (1);\n`.repeat(40)))
  addFile('database/acme_old.sql', '')
  for (const box of ['info', 'office']) {
    addFolder(`email/acme.example/${box}`, 0o751)
    for (const part of ['cur', 'new', 'tmp']) addFolder(`email/acme.example/${box}/${part}`, 0o700)
    for (let n = 0; n < 12 + day; n++)
      addFile(
        `email/acme.example/${box}/cur/16500000${n}.M${n}.host:2,S`,
        `To: ${box}\n\nletter ${n}\n`,
        0o640,
      )
  }
  addFolder('homedir', 0o711)
  addFile('homedir/.bashrc', 'alias ll="ls -l"\n')
  addFolder('homedir/public_html', 0o750)
  addFile('homedir/public_html/index.php', `<?php // day ${day}\n`)
  addFile('homedir/public_html/wp-config.php', "<?php define('DB_NAME', 'acme_wp');\n", 0o600)
  addFile('homedir/public_html/copy of index.php', `<?php // day ${day}\n`)
  addFile('homedir/public_html/empty.txt', '')
  add('homedir/public_html/current', undefined, (place) => symlinkSync('index.php', place))
  add('homedir/www', undefined, (place) => symlinkSync('public_html', place))
  addFolder('homedir/public_html/uploads')
  for (let n = 0; n < 20; n++) addFile(`homedir/public_html/uploads/IMG_${n}.jpg`, noise(n, 200 + 700 * n))
  addFile('homedir/public_html/uploads/video.mp4', noise(99, 300_000))
  addFile(utf8('homedir/public_html/uploads/naïve 日本 "quoted".txt'), 'names are bytes\n')
  if (anyName) addFile('homedir/public_html/uploads/old-encoding-\xe9\xff.txt', 'not UTF-8\n')
  addFolder('homedir/cgi-bin')
  addFile('homedir/cgi-bin/run.cgi', '#!/bin/sh\necho\n', 0o4755)
  addFolder('homedir/tmp', 0o1777)
  if (day > 0) addFile(`homedir/tmp/day-${day}`, `${day}\n`)

  // The last are the deepest; each new name has changed the time of its folder.
  for (const [n, path] of [...made.entries()].reverse()) {
    const time = firstTime + n * 3_607 + (milliseconds ? (n % 4) * 0.25 : 0)
    lutimesSync(placeOf(folder, path), time, time)
  }
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1')

/** Bytes that do not compress, by a linear congruential generator. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed + 1
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}
