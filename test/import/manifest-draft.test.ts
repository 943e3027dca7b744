import test from 'ava'
import type { Logger } from '../../src/base/log.ts'
import { silentLogger } from '../../src/base/log.ts'
import { ManifestDraft } from '../../src/import/manifest-draft.ts'
import { largestManifest, serializeManifest } from '../../src/snapshot/manifest.ts'
import { nameOf } from '../snapshot/write-tree.ts'

const facts = { folderTime: 7, repository: 'job/account/' }

function draft(): { draft: ManifestDraft; warnings: string[] } {
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) }
  return { draft: new ManifestDraft(logger), warnings }
}

test('a base with a byte order mark is a base', (t) => {
  const { draft: made, warnings } = draft()
  made.setBase(Buffer.from('\ufeff{"created": 5, "vendor": "kept", "items": [{"path": "x"}]}'))
  const { manifest, base } = made.manifest(facts)
  t.like(manifest, { created: 5, items: [{ path: 'x' }], account: 'account' })
  t.like(base, { vendor: 'kept' })
  t.deepEqual(warnings, [])
})

const unusable: readonly (readonly [what: string, json: string])[] = [
  ['no JSON', 'hello'],
  ['one nested deeper than it can be written', `{"deep": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
  ['one as large as a manifest may be', `{"long": "${'x'.repeat(largestManifest - 100)}"}`],
]
for (const [what, json] of unusable)
  test(`of a base that cannot be used only a warning is left: ${what}`, (t) => {
    const { draft: made, warnings } = draft()
    made.setBase(Buffer.from(json))
    const { manifest, base } = made.manifest(facts)
    t.is(base, undefined)
    t.is(manifest.created, 7)
    t.is(warnings.length, 1)
  })

test('more top-level folders than a manifest has room for are left out of it', (t) => {
  const { draft: made, warnings } = draft()
  for (let i = 0; i < 60_000; i++) made.addFolder([nameOf(`folder ${i}`)])
  const { manifest } = made.manifest(facts)
  t.deepEqual(manifest.items, [])
  t.is(warnings.length, 1)
  t.true(serializeManifest({ ...manifest, jbfs: undefined }).length < largestManifest)
})
