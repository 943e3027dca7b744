import test from 'ava'
import { DropBehind } from '../../src/filesystem/drop-behind.ts'

const options = { smallest: 100, distance: 30, step: 10 }

function recorded(): { drop: DropBehind; dropped: number[][] } {
  const dropped: number[][] = []
  return { drop: new DropBehind((...what) => dropped.push(what), options), dropped }
}

test('behind a reader from end to end, pages are given back once, in order, at a distance', (t) => {
  const { drop, dropped } = recorded()
  for (let offset = 0; offset < 100; offset += 5) drop.noteRead(7, 100, offset, 5)
  t.deepEqual(dropped, [
    [7, 0, 10],
    [7, 10, 10],
    [7, 20, 10],
    [7, 30, 10],
    [7, 40, 10],
    [7, 50, 10],
    [7, 60, 10],
  ])
})

test('requests out of order are one reader', (t) => {
  const { drop, dropped } = recorded()
  for (const offset of [0, 10, 5, 20, 15, 35, 25, 30, 40]) drop.noteRead(7, 100, offset, 5)
  t.deepEqual(dropped, [[7, 0, 10]])
})

test('small files and random reads keep their pages', (t) => {
  const { drop, dropped } = recorded()
  for (let offset = 0; offset < 99; offset++) drop.noteRead(1, 99, offset, 1)
  for (const offset of [0, 90, 10, 80, 20, 70]) drop.noteRead(2, 100, offset, 5)
  t.deepEqual(dropped, [])
})
