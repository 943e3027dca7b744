import { parse, type TomlTable } from 'smol-toml'
import { messageOf } from '../../base/errors.ts'

export type Toml = { readonly table: TomlTable } | { readonly problem: string }

/** The problem says where it is, and does not show what stands there: it may be a key. */
export function parseToml(text: string): Toml {
  try {
    return { table: parse(text) }
  } catch (error) {
    const [summary = ''] = messageOf(error).split('\n')
    const { line, column } = error as { line?: number; column?: number }
    return { problem: `is no TOML: ${summary.replace(/^.*?: /, '')} (line ${line}, column ${column})` }
  }
}
