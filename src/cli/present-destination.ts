import { didYouMean } from '../base/did-you-mean.ts'
import { DestinationError } from '../destination/errors.ts'
import { type EditableSettings, openEditable } from '../destination/settings/editable-settings.ts'
import { readableSettingsFiles } from './settings-files.ts'

/** The settings file to edit a destination in: the first that has it. Throws `bad-destination` when none does. */
export function editableWith(name: string, config: string | undefined): EditableSettings {
  const files = readableSettingsFiles(config).map(openEditable)
  const found = files.find(({ tables }) => Object.hasOwn(tables, name))
  if (found === undefined)
    throw unknownName(
      name,
      files.flatMap(({ tables }) => Object.keys(tables)),
    )
  return found
}

export function unknownName(name: string, names: readonly string[]): DestinationError {
  const known = names.length === 0 ? 'the settings have none: jbfs destination add' : names.join(', ')
  return new DestinationError(
    'bad-destination',
    `there is no destination ${JSON.stringify(name)}${didYouMean(name, names)}: ${known}`,
  )
}
