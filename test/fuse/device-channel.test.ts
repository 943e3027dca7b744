import {
  closeSync,
  read as fsRead,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { socketPair } from '../../src/base/descriptor-passing.ts'
import { codeOf } from '../../src/base/errors.ts'
import { loadLibc } from '../../src/base/koffi.ts'
import { DeviceChannel } from '../../src/fuse/device-channel.ts'

/** A pair of UNIX sockets in place of the device: `seqpacket` keeps what one write sends apart from the next, as the device does. */
function seqpacketPair(): [number, number] {
  const [unix, seqpacket] = [1, 5]
  const pair = new Int32Array(2)
  loadLibc().func('int socketpair(int, int, int, void*)')(unix, seqpacket, 0, pair)
  return [pair[0] as number, pair[1] as number]
}

test('messages come in one by one, and a reply goes out in one piece, however many it is made of', (t) => {
  const [ours, theirs] = seqpacketPair()
  t.teardown(() => [ours, theirs].forEach(closeSync))
  const channel = new DeviceChannel(ours)
  const received = Buffer.alloc(10_000)
  for (const count of [1, 2, 1024, 1025, 4097]) {
    t.true(channel.reply(Array.from({ length: count }, (_, i) => Buffer.of(i & 0xff))))
    t.is(readSync(theirs, received), count)
    t.is(received[count - 1], (count - 1) & 0xff)
  }
})

test('after the end nothing is written to a descriptor that may be somebody else’s', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jbfs-channel-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [ours, theirs] = socketPair()
  const channel = new DeviceChannel(ours)
  const messages: string[] = []
  const ended = new Promise<Error | undefined>((resolve) =>
    channel.start({ onMessage: (message) => void messages.push(message.toString()), onEnd: resolve }),
  )
  writeSync(theirs, 'hello')
  while (messages.length === 0) await new Promise(setImmediate)
  t.deepEqual(messages, ['hello'])
  t.true(channel.reply([Buffer.from('a'), Buffer.from('b')]))
  closeSync(theirs)
  await ended
  // The lowest number that is free: ours and theirs are among those taken now.
  const path = join(folder, 'innocent')
  const files = [openSync(path, 'a'), openSync(path, 'a')]
  t.teardown(() => files.forEach(closeSync))
  t.true(files.includes(ours) && fstatSync(ours).isFile())
  t.false(channel.reply([Buffer.from('a'), Buffer.from('b')]))
  t.false(await channel.notify(Buffer.from('c')))
  t.is(readFileSync(path, 'utf8'), '')
})

test('a notification that is on its way at the end does not reach whatever has the number then', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jbfs-channel-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [ours, theirs] = socketPair()
  const channel = new DeviceChannel(ours)
  const ended = new Promise((resolve) => channel.start({ onMessage: () => {}, onEnd: resolve }))
  // As many as there are threads: the notification waits for one of them.
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4)
  const busy = Array.from({ length: threads }, () => socketPair())
  const read = busy.map(
    ([held]) => new Promise((resolve) => fsRead(held, Buffer.alloc(1), 0, 1, null, resolve)),
  )
  const notified = channel.notify(Buffer.from('c')).catch(codeOf)
  closeSync(theirs)
  for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate)
  const path = join(folder, 'innocent')
  const files = [openSync(path, 'a'), openSync(path, 'a')]
  t.teardown(() => [...files, ...busy.flat()].forEach(closeSync))
  for (const [, end] of busy) writeSync(end, 'x')
  await Promise.all(read)
  t.is(await notified, 'EPIPE', 'its own socket has taken it')
  t.is(readFileSync(path, 'utf8'), '')
  await ended
  t.throws(() => fstatSync(ours), { code: 'EBADF' })
})
