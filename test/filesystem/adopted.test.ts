import test from 'ava'
import { Adopted } from '../../src/filesystem/adopted.ts'
import { nodeidOf } from '../../src/filesystem/inode-number.ts'

const [source, target, other] = [nodeidOf(1, 5), nodeidOf(2, 7), nodeidOf(2, 8)]

test('a file keeps what was made of it, in each snapshot, until either is changed', (t) => {
  const adopted = new Adopted()
  t.is(adopted.targetOf(source, 2), undefined)
  adopted.add(source, target)
  const third = nodeidOf(3, 1)
  adopted.add(source, third)
  t.is(adopted.targetOf(source, 2), target)
  t.is(adopted.targetOf(source, 3), third)
  adopted.changed(target)
  t.is(adopted.targetOf(source, 2), undefined)
  t.is(adopted.targetOf(source, 3), third)
  adopted.changed(source)
  t.is(adopted.targetOf(source, 3), undefined)
})

test('one whose place was taken does not take the other with it', (t) => {
  const adopted = new Adopted()
  adopted.add(source, target)
  adopted.add(source, other)
  adopted.changed(target)
  t.is(adopted.targetOf(source, 2), other)
})
