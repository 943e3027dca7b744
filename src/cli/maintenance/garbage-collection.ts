import type { Abortable } from '../../base/abort.ts'
import { contains } from '../../base/containment.ts'
import type { Logger } from '../../base/log.ts'
import type { UserFolders } from '../../base/user-folders.ts'
import type { OwnedPlace } from '../../destination/backup-directory.ts'
import { acquireDestination, openDestination, refuseOtherWriters } from '../../destination/destination.ts'
import { DestinationError } from '../../destination/errors.ts'
import {
  type OwnedDirectory,
  type OwnedRepository,
  ownedDirectories,
} from '../../destination/owned-directories.ts'
import type { Owner } from '../../destination/owner-record.ts'
import type { Destination } from '../../destination/parse-destination.ts'
import { serverIdentity } from '../../destination/server-identity.ts'
import { pathIn, splitRepository } from '../../destination/split-repository.ts'
import { type FoundOrphans, findOrphans, type UnclearRepository } from '../../maintenance/find-orphans.ts'
import { type Freed, freeOrphans, nothingFreed } from '../../maintenance/free-orphans.ts'
import { StoreError } from '../../store/errors.ts'
import type { ObjectReader, ObjectStore } from '../../store/object-store.ts'
import type { ExitCode } from '../exit-codes.ts'
import { print, printable, warn } from '../output.ts'
import { tellPassedOver } from '../passed-over.ts'
import { ProgressLine } from '../progress-line.ts'
import { findRepositories, passingOver } from '../repositories.ts'
import { Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import { amountText } from './counts.ts'
import { tellRefusal, unpublishedRefusal } from './gc-refusal.ts'
import { type GcRow, leftoversText, rowLine, rowOf, totalsOf } from './gc-report.ts'

export interface GcRun {
  readonly given: Destination
  readonly grace: { readonly text: string; readonly seconds: number }
  readonly isDry: boolean
  /** Do not ask. */
  readonly yes: boolean
  readonly json: boolean
  readonly folders: Pick<UserFolders, 'runtime' | 'state'>
  /** A folder for file indexes while they are being opened. */
  readonly temporary: string
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** A snapshot is damaged or not understood. */
const exitUnclear: ExitCode = 5

/** One `jbfs gc`: what can go is found, shown, agreed to and deleted, under a lease for each backup directory that has an owner of its own. */
export class GarbageCollection {
  readonly #run: GcRun
  readonly #line = new ProgressLine()
  /** Of what is being deleted, too. */
  readonly #rows: GcRow[] = []

  constructor(run: GcRun) {
    this.#run = run
  }

  async run(): Promise<void> {
    const { given, logger, signal, isDry } = this.#run
    using opened = openDestination(given, { logger })
    const { reader, description } = opened
    const refusal = await this.#refusal(description)
    try {
      const repositories = await findRepositories(reader, { ...tellPassedOver, signal })
      if (repositories.length === 0) warn(`there are no repositories in ${description}`)
      if (isDry) {
        if (refusal === undefined) await this.#tellOtherWriters(reader, repositories)
        await this.#look(reader, repositories)
      } else
        for (const directory of await this.#directories(reader, repositories))
          await this.#collect(directory, description)
    } catch (error) {
      this.#line.clear()
      const { objects, indexes } = totalsOf(this.#rows).freed
      if (objects.count + indexes.count > 0) warn(`freed before that: ${leftoversText(objects, indexes)}`)
      throw error
    }
    this.#line.clear()
    this.#end(description)
  }

  /** Told to who only looks, thrown to who does not. */
  async #refusal(place: string): Promise<DestinationError | undefined> {
    const refusal = await unpublishedRefusal(place, this.#run.folders)
    if (refusal !== undefined) {
      if (!this.#run.isDry) throw refusal
      tellRefusal(refusal)
    }
    return refusal
  }

  async #directories(reader: ObjectReader, repositories: readonly string[]): Promise<OwnedDirectory[]> {
    const { given, logger, signal } = this.#run
    const unowned = unownedPlace(given, repositories.includes(''))
    return await ownedDirectories(given, repositories, { reader, unowned, logger, signal })
  }

  async #tellOtherWriters(reader: ObjectReader, repositories: readonly string[]): Promise<void> {
    const { logger, signal } = this.#run
    try {
      const owner = await this.#owner()
      for (const { destination } of await this.#directories(reader, repositories))
        await refuseOtherWriters(destination, { logger, owner, signal }).catch((error: unknown) => {
          if (!(error instanceof DestinationError)) throw error
          tellRefusal(error)
        })
    } catch (error) {
      if (error instanceof DestinationError) return tellRefusal(error)
      // Who may read the backups need not be one who may read whose they are.
      if (!(error instanceof StoreError)) throw error
    }
  }

  #owner(): Promise<Owner> {
    const { given, folders } = this.#run
    return serverIdentity(folders.state, given.named?.owner)
  }

  async #look(reader: ObjectReader, repositories: readonly string[]): Promise<void> {
    const { signal } = this.#run
    for (const repository of repositories) {
      const found = await passingOver(tellPassedOver.onRefusal, () =>
        this.#find(reader, { prefix: repository, given: repository }, { signal }),
      )
      if (found !== undefined) this.#add(rowOf(nameOf(repository), found, nothingFreed()))
    }
  }

  /** Holds the lease from before the first look until the last object is gone. */
  async #collect({ destination, repositories }: OwnedDirectory, given: string): Promise<void> {
    const { logger, signal } = this.#run
    const owner = await this.#owner()
    const program = `jbfs ${version()} gc`
    await using acquired = await acquireDestination(destination, { logger, owner, program, signal })
    const { store, lease, description } = acquired
    // A mount may have come and gone since the first look; none comes while the lease is held.
    await this.#refusal(contains(given, description) ? description : given)
    const held = { signal: AbortSignal.any([signal, lease.signal]) }
    const toFree: { readonly found: FoundOrphans; readonly freed: Freed; readonly row: number }[] = []
    for (const repository of repositories) {
      const found = await passingOver(tellPassedOver.onRefusal, () => this.#find(store, repository, held))
      if (found === undefined) continue
      const freed = nothingFreed()
      const row = this.#add(rowOf(nameOf(repository.given), found, freed))
      if (!('reason' in found)) toFree.push({ found, freed, row })
    }
    const rows = toFree.map(({ row }) => this.#rows[row] as GcRow)
    if (!(await this.#isAgreed(rows, description))) return
    for (const { found, freed, row } of toFree) {
      const reason = await this.#free(store, found, freed, held)
      if (reason !== undefined)
        this.#rows[row] = this.#told({ ...(this.#rows[row] as GcRow), unclear: reason })
    }
  }

  async #find(
    store: ObjectReader,
    { prefix, given }: OwnedRepository,
    { signal }: Abortable,
  ): Promise<FoundOrphans | UnclearRepository> {
    const { temporary, logger, grace } = this.#run
    return await findOrphans({
      store,
      repository: prefix,
      temporary,
      rule: { now: Date.now() / 1000, grace: grace.seconds },
      logger,
      signal,
      onProgress: ({ referred, listed }) =>
        this.#line.show(() => `gc ${nameOf(given)}: found ${listed} objects, snapshots refer to ${referred}`),
    })
  }

  async #free(
    store: ObjectStore,
    found: FoundOrphans,
    freed: Freed,
    { signal }: Abortable,
  ): Promise<string | undefined> {
    const { temporary, logger } = this.#run
    const all = totalsOf(this.#rows).orphans
    return await freeOrphans(found, freed, {
      store,
      temporary,
      logger,
      signal,
      onProgress: () =>
        this.#line.show((seconds) => {
          const { objects } = totalsOf(this.#rows).freed
          const percent = Math.floor((100 * objects.count) / Math.max(1, all.count))
          return `gc: ${percent} %, freed ${objects.count} of ${amountText(all, 'object')}, ${Math.round(objects.count / seconds)} objects/s`
        }),
    })
  }

  async #isAgreed(rows: readonly GcRow[], description: string): Promise<boolean> {
    const { orphans, indexes } = totalsOf(rows)
    if (orphans.count + indexes.count === 0) return false
    if (this.#run.yes) return true
    this.#line.clear()
    using terminal = new Terminal()
    return await terminal.confirm(`delete ${leftoversText(orphans, indexes)} in ${description}?`)
  }

  /** Returns its place among the rows. */
  #add(row: GcRow): number {
    return this.#rows.push(this.#told(row)) - 1
  }

  #told(row: GcRow): GcRow {
    if (row.unclear !== null) process.exitCode ??= exitUnclear
    const text = rowLine(row, this.#run.grace.text)
    this.#line.clear()
    if (!this.#run.json && text !== undefined) print(printable(text))
    return row
  }

  #end(description: string): void {
    const { isDry, json, grace } = this.#run
    const { orphans, indexes, freed } = totalsOf(this.#rows)
    const report = {
      destination: description,
      dryRun: isDry,
      graceSeconds: grace.seconds,
      repositories: this.#rows,
      freed,
    }
    const text = isDry
      ? `would free ${leftoversText(orphans, indexes)} in ${description}`
      : `freed ${leftoversText(freed.objects, freed.indexes)} in ${description}`
    print(json ? JSON.stringify(report, null, 2) : printable(text))
  }
}

/** Path below what the command was given. */
function nameOf(repository: string): string {
  return repository.replace(/\/$/, '')
}

/** What a writer there would make its own: the folder around a repository, or what has a name in the settings. */
function unownedPlace(given: Destination, isRepository: boolean): OwnedPlace {
  const isNamed = given.kind === 's3' && given.named !== undefined
  return isNamed || (isRepository && pathIn(given) !== '/')
    ? splitRepository(given)
    : { destination: given, repository: '' }
}
