import { mkdirSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { JbfsError } from '../base/errors.ts'
import { configuration, manifest } from './configuration.ts'
import { hardCases, type SkippedCase } from './hard-cases.ts'
import { mail } from './mail.ts'
import type { Part, SampleContext } from './part.ts'
import { Random } from './random.ts'
import { Text } from './text.ts'
import { TreeWriter } from './tree-writer.ts'
import { wordpress } from './wordpress.ts'

export interface SampleOptions {
  /** About how many regular files; the settings alone are some 50. 2,000 unless said. */
  readonly files?: number | undefined
  /** A whole number. At most 2³² seeds differ. The same seed and options make the same tree, to the byte and to the nanosecond. 1 unless said. */
  readonly seed?: number | undefined
  /** Whether `homedir/hard-cases` is there: what a file system can hold and a backup easily loses. True unless said. */
  readonly hardCases?: boolean | undefined
  /** Called now and then with the number of regular files written. */
  readonly onProgress?: ((files: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SampleSummary {
  /** Names of regular files. */
  readonly files: number
  readonly folders: number
  /** Sum of the sizes of regular files, holes included. */
  readonly bytes: number
  readonly account: string
  /** The hard cases that this file system or user cannot make. */
  readonly skipped: readonly SkippedCase[]
}

/** Files between two looks at the signal, each with a turn for the event loop. */
const filesPerTurn = 100

/** About how many files the account has besides its site and its mail. */
const otherFiles = 50

/** 2024-06-15T15:00:00Z, the day of the first backup; a seed adds up to a year of days. */
const firstBackup = 1_718_463_600

/**
 * Writes a made-up cPanel account as JetBackup's human-readable snapshots have it (`jetbackup.index` and the item folders beside
 * it) into `folder`, which must be empty or absent. Needs no network; the hard cases need koffi and some of them root, and what
 * cannot be made is in the summary. On a fault or an abort, all that was written is removed. Throws `bad-option`, `not-empty`, the signal's
 * reason, or what the file system throws.
 */
export async function writeSampleAccount(
  folder: string,
  options: SampleOptions = {},
): Promise<SampleSummary> {
  const { files = 2_000, seed = 1 } = options
  for (const number of [files, seed])
    if (!Number.isSafeInteger(number) || number < 0)
      throw new JbfsError('bad-option', `files and seed are whole numbers, and ${number} is not`)
  const root = resolve(folder)
  const isNew = mkdirSync(root, { recursive: true }) !== undefined
  if (!isNew && readdirSync(root).length > 0) throw new JbfsError('not-empty', `${folder} is not empty`)
  try {
    return await write(root, { ...options, files, seed })
  } catch (error) {
    await remove(root, isNew)
    throw error
  }
}

async function write(
  root: string,
  options: SampleOptions & { readonly files: number; readonly seed: number },
): Promise<SampleSummary> {
  const { files, seed, onProgress, signal } = options
  const random = new Random(seed)
  const tree = new TreeWriter(Buffer.from(root))
  const created = firstBackup + random.integer(0, 365) * 86_400
  const account = `cust${random.hex(4)}`
  const context = { tree, random, text: new Text(random), account, domain: `${account}.example`, created }

  tree.adoptFolder(tree.root, 0o755, created)
  const skipped: SkippedCase[] = []
  let written = 0
  for (const _ of parts(context, files, options.hardCases ?? true, skipped)) {
    if (++written % filesPerTurn !== 0) continue
    onProgress?.(tree.counts.files)
    await setImmediate()
    signal?.throwIfAborted()
  }
  tree.finish()
  onProgress?.(tree.counts.files)
  return { ...tree.counts, account, skipped }
}

function* parts(context: SampleContext, files: number, withHardCases: boolean, skipped: SkippedCase[]): Part {
  const bulk = Math.max(0, files - otherFiles)
  const messages = Math.round(bulk * 0.35)
  yield* manifest(context)
  yield* wordpress(context, bulk - messages)
  yield* mail(context, messages)
  yield* configuration(context, Math.min(20, 1 + Math.floor(files / 1_000)))
  if (withHardCases) yield* hardCases(context, skipped)
}

async function remove(root: string, isNew: boolean): Promise<void> {
  if (isNew) return rm(root, { recursive: true, force: true })
  for (const name of readdirSync(root)) await rm(join(root, name), { recursive: true, force: true })
}
