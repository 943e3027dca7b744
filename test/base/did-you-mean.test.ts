import test from 'ava'
import { didYouMean } from '../../src/base/did-you-mean.ts'

test('a slip finds the word that was meant, and another word none', (t) => {
  const words = ['region', 'read_only', 'eu-central-1', 'eu-central-2']
  t.is(didYouMean('regoin', words), ' (did you mean region?)')
  t.is(didYouMean('backup_dir', ['bucket', 'backup_directory']), ' (did you mean backup_directory?)')
  t.is(didYouMean('backup', ['backup_directory', 'backup_name']), '')
  t.is(didYouMean('readonly', words), ' (did you mean read_only?)')
  t.is(didYouMean('EU-Cental-1', words), ' (did you mean eu-central-1?)')
  t.is(didYouMean('colour', words), '')
  t.is(didYouMean('x', words), '')
  t.is(didYouMean('region', []), '')
})
