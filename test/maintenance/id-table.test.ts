import test from 'ava'
import fc from 'fast-check'
import { IdTable } from '../../src/maintenance/id-table.ts'
import { ObjectIds } from '../../src/snapshot/object-id.ts'

const hexDigit = fc.constantFrom(...'0123456789abcdef')
const id = fc.array(hexDigit, { minLength: 24, maxLength: 24 }).map((digits) => digits.join(''))

test('ids are numbered as they come, each once', (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(id, fc.constantFrom('0'.repeat(24), 'f'.repeat(24)))), (ids) => {
      const table = new IdTable()
      const model = new Map<string, number>()
      for (const each of ids) {
        if (!model.has(each)) model.set(each, model.size)
        t.is(table.add(each), model.get(each) as number)
      }
      t.is(table.size, model.size)
      for (const [each, number] of model) {
        t.is(table.find(each), number)
        t.is(table.idAt(number), each)
      }
    }),
  )
})

test('hundreds of thousands of ids that count up are found, and no others', (t) => {
  const table = new IdTable()
  const ids = new ObjectIds()
  const added = Array.from({ length: 200_000 }, (_, n) => ids.next(1_700_000_000_000 + n))
  for (const each of added) table.add(each)
  t.is(table.size, added.length)
  t.true(added.every((each, number) => table.find(each) === number && table.idAt(number) === each))
  t.is(table.find(ids.next(1_600_000_000_000)), undefined)
})
