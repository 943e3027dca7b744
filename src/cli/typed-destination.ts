import { nearestRealpath } from '../base/containment.ts'
import { mountOf } from '../base/mountinfo.ts'
import { type Destination, parseDestination } from '../destination/parse-destination.ts'
import { namedDestination, nameIn } from '../destination/settings/named-destination.ts'
import { CliError } from './errors.ts'
import { jbfsType } from './mountpoint.ts'
import { type StoreArguments, storeOptionsOf, storeOverridesOf, storePlaceFlags } from './options.ts'
import { ownReader, ownSettings } from './settings-files.ts'

/** What a user has typed for a destination: a name of the settings, with a path below or not, or else a place. */
export function typedDestination(text: string, args: StoreArguments): Destination {
  const destination = parsedDestination(text, args)
  if (destination.kind === 'directory') refuseShown(destination.path)
  return destination
}

/** A snapshot that is shown is not laid out as one in a destination: every one would seem to be damaged. */
function refuseShown(path: string): void {
  const shown = mountOf(nearestRealpath(path))
  if (shown?.type === jbfsType)
    throw new CliError(
      'usage',
      `${path} is what jbfs shows at ${shown.mountpoint}, and no destination: give the one that is mounted there, ${shown.source}`,
    )
}

function parsedDestination(text: string, args: StoreArguments): Destination {
  const name = nameIn(text)
  if (name === undefined) return parseDestination(text, storeOptionsOf(args))
  const settings = ownSettings(args.config)
  const named = settings.get(name)
  if (named === undefined) return parseDestination(text, storeOptionsOf(args), [...settings.keys()])
  refusePlaceFlags(name, named.file, args)
  return namedDestination(text, named, { overrides: storeOverridesOf(args), ownUid: ownReader().ownUid })
}

function refusePlaceFlags(name: string, file: string, args: StoreArguments): void {
  for (const option of storePlaceFlags)
    if (args[option] !== undefined)
      throw new CliError(
        'usage',
        `--${option} is not for ${name}, whose settings are in ${file}: change it there (jbfs destination edit ${name})`,
      )
}
