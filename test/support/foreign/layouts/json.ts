import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import type { SourceEntry } from '../source-tree.ts'

/** No database at all: a list of files in JSON where others have one. */
export const json: ForeignLayout = {
  name: 'json',
  keeps: { milliseconds: true, anyName: false, topFolder: false },
  truth: {
    index: 'export/snap.{number}',
    container: 'plain',
    content: 'json',
    table: 'list',
    shape: 'paths',
    columns: {
      path: 'p',
      mode: 'perm',
      uid: 'u',
      gid: 'g',
      size: 'len',
      mtime: 'ts',
      object: 'obj',
      target: 'ln',
    },
    times: 'milliseconds',
    modes: 'octal',
    objectsBy: 'key',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ id }) => `files/${id}` })
    const lists = snapshots.map(({ number, created, entries }) => {
      const list = entries.slice(1).map((entry) => memberOf(entry, objects))
      const members = { version: 2, generated: created, count: list.length, list }
      return { key: `export/snap.${number}`, bytes: Buffer.from(JSON.stringify(members)) }
    })
    return [...objects.stored(), ...lists, ...snapshots.map(jsonManifest)]
  },
}

/** What does not apply is left out. */
function memberOf(entry: SourceEntry, objects: Objects): Record<string, unknown> {
  return {
    p: textOf(entry.path),
    perm: entry.mode.toString(8),
    u: entry.uid,
    g: entry.gid,
    ts: entry.modified,
    ...(entry.content && { len: entry.content.length, obj: objects.add(entry.content).key }),
    ...(entry.target !== undefined && { ln: textOf(entry.target) }),
  }
}

function textOf(latin1: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(latin1, 'latin1'))
}
