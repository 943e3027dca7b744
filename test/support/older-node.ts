import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'

export interface OlderNode {
  readonly program: string
  readonly version: string
}

/** A Node.js on this system that is too old for jbfs, to test what happens with one. */
export function findOlderNode(): OlderNode | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const program = join(folder, 'node')
    const { status, stdout } = spawnSync(program, ['-p', 'process.versions.node'], { encoding: 'utf8' })
    if (status === 0 && Number.parseInt(stdout, 10) < 24) return { program, version: stdout.trim() }
  }
  return undefined
}

/** For `testUnless`; undefined when there is one. */
export function whyNoOlderNode(older: OlderNode | undefined): string | undefined {
  return older === undefined ? 'no node of a version below 24 in PATH' : undefined
}
