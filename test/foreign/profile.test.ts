import test from 'ava'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { inspected } from './inspected.ts'

for (const layout of foreignLayouts) {
  // One at a time: each of them starts processes.
  test.serial(`the profile of the layout ${layout.name} points out what its columns are`, async (t) => {
    await using found = await inspected(t, layout)
    const { tables, kept } = found
    t.like(kept, { container: layout.truth.container, content: layout.truth.content })
    t.deepEqual(
      tables.filter(({ problem }) => problem !== undefined),
      [],
    )
    const { columns: roles, times, modes } = layout.truth
    const looks = (column: string | undefined): readonly string[] => {
      const [table, name] = column?.includes('.') ? column.split('.') : [layout.truth.table, column]
      const found = tables.find((each) => each.name === table)?.columns.find((each) => each.name === name)
      return (found?.looks ?? [])
        .filter(({ share }) => share > 0.85)
        .map(({ role, detail }) => `${role} ${detail}`)
    }
    const unit = { seconds: 's', milliseconds: 'ms', iso: 'iso' }[times]
    const expected = [
      [roles.mtime, `time ${unit}`],
      [roles.mode, `mode ${modes}`],
      [roles.object, /^object /],
      [roles.size, 'size unpacked'],
      [roles.parent, `parent ${roles.id}`],
      [roles.folder ?? roles.path, /^path/],
    ] as const
    for (const [column, look] of expected)
      if (column !== undefined)
        t.true(
          looks(column).some((found) => (typeof look === 'string' ? found === look : look.test(found))),
          `${column}: ${looks(column)}`,
        )
  })
}
