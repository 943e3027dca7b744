import { rmSync } from 'node:fs'
import { codeOf, messageOf } from '../base/errors.ts'
import { inodeCases } from './inode-cases.ts'
import { nameCases } from './name-cases.ts'
import type { Part, SampleContext } from './part.ts'
import { sparseCases } from './sparse-cases.ts'
import { inside, TreeWriter } from './tree-writer.ts'

export interface SkippedCase {
  readonly name: string
  readonly reason: string
}

/** What this user may not do or this file system cannot keep. Anything else, such as a full disk, is a fault. */
const impossible: ReadonlySet<string> = new Set([
  'no-koffi',
  'not-kept',
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'EILSEQ',
  'EEXIST',
  'EFBIG',
  'EMLINK',
  'EOVERFLOW',
  'ENAMETOOLONG',
])

/** Makes each case in a folder of its own, or reports it in `skipped` and leaves nothing of it. */
export function* hardCases(context: SampleContext, skipped: SkippedCase[]): Part {
  const { tree, created } = context
  const all = tree.at('homedir/hard-cases')
  tree.folder(all, { modified: created })
  for (const { name, make } of [...nameCases, ...inodeCases, ...sparseCases]) {
    const folder = inside(all, name)
    const part = new TreeWriter(folder)
    try {
      part.folder(folder, { modified: created })
      make(part, context)
      tree.absorb(part)
    } catch (error) {
      if (!impossible.has(codeOf(error) ?? '')) throw error
      rmSync(folder, { recursive: true })
      skipped.push({ name, reason: messageOf(error) })
    }
    yield
  }
}
