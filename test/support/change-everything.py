"""
Makes changes in a folder and asserts what has become of it: change-everything.py FOLDER CASE, a case being one of the functions below.
Python has the system calls that Node lacks. Run by test/mounted/changes.test.ts, as root.
"""

import ctypes
import errno
import mmap
import os
import random
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
other = 1000


@contextmanager
def refused(number):
    try:
        yield
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(f'not refused with {errno.errorcode[number]}')


def call(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), 'refused')
    return result


def renameat2(old, new, flags):
    call(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def fallocate(file, mode, offset, length):
    call(libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def write(path, data, flags=os.O_TRUNC, mode=0o644):
    file = os.open(path, os.O_CREAT | os.O_WRONLY | flags, mode)
    try:
        assert os.write(file, data) == len(data)
    finally:
        os.close(file)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


@contextmanager
def as_other():
    os.setegid(other)
    os.seteuid(other)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def writing():
    write('a', b'one')
    write('a', b'two', os.O_APPEND)
    assert read('a') == b'onetwo'
    write('a', b'3')
    assert read('a') == b'3' and os.stat('a').st_size == 1
    with refused(errno.EEXIST):
        os.open('a', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    file = os.open('a', os.O_RDWR)
    os.pwrite(file, b'end', 5_000_000_000)
    os.fsync(file)
    assert os.fstat(file).st_size == 5_000_000_003
    assert os.pread(file, 10, 4_999_999_998) == b'\0\0end'
    assert os.lseek(file, 70_000, os.SEEK_DATA) > 4_000_000_000
    os.ftruncate(file, 2)
    os.ftruncate(file, 4)
    assert read('a') == b'3\0\0\0'
    os.close(file)
    os.truncate('a', 0)
    assert read('a') == b''


def large_writes():
    data = os.urandom(5 << 20)
    write('a', data)
    assert read('a') == data
    write('b', b'')
    pieces = [data[at : at + 777_777] for at in range(0, len(data), 777_777)]
    for piece in pieces:
        write('b', piece, os.O_APPEND)
    assert read('b') == data


def renaming():
    write('a', b'a')
    write('b', b'b')
    os.rename('a', 'c')
    os.rename('c', 'b')
    assert os.listdir() == ['b'] and read('b') == b'a'
    write('a', b'other')
    with refused(errno.EEXIST):
        renameat2('a', 'b', NOREPLACE)
    renameat2('a', 'c', NOREPLACE)
    os.makedirs('d/e')
    renameat2('c', 'd/e', EXCHANGE)
    assert os.path.isdir('c') and read('d/e') == b'other'
    os.rename('d', 'c/d')
    assert sorted(os.listdir('c')) == ['d'] and os.stat('c').st_nlink == 3 and os.stat('.').st_nlink == 3
    os.makedirs('full/x')
    with refused(errno.ENOTEMPTY):
        os.rename('c', 'full')


def linking():
    write('a', b'a')
    os.link('a', 'b')
    assert os.stat('a').st_ino == os.stat('b').st_ino and os.stat('a').st_nlink == 2
    write('b', b'more', os.O_APPEND)
    assert read('a') == b'amore'
    os.unlink('a')
    assert os.stat('b').st_nlink == 1
    target = b'\xff/caf\xe9' + b'x' * 4000
    os.symlink(target, b's')
    assert os.readlink(b's') == target and os.lstat('s').st_size == len(target)
    with refused(errno.EEXIST):
        os.symlink('x', 'b')


def special_nodes():
    os.mkfifo('fifo', 0o600)
    assert stat.S_ISFIFO(os.stat('fifo').st_mode)
    os.mknod('device', 0o600 | stat.S_IFCHR, os.makedev(300, 70_000))
    status = os.stat('device')
    assert stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(300, 70_000)
    os.mknod('file', 0o640 | stat.S_IFREG)
    assert read('file') == b''
    with socket.socket(socket.AF_UNIX) as server:
        server.bind('socket')
    assert stat.S_ISSOCK(os.stat('socket').st_mode)


def removing():
    write('a', b'still there')
    file = os.open('a', os.O_RDWR)
    os.unlink('a')
    os.write(file, b'STILL')
    assert os.pread(file, 99, 0) == b'STILL there' and os.fstat(file).st_nlink == 0
    os.close(file)
    os.makedirs('d/e')
    with refused(errno.ENOTEMPTY):
        os.rmdir('d')
    with refused(errno.EISDIR):
        os.unlink('d')
    os.rmdir('d/e')
    os.rmdir('d')
    write('d', b'')
    with refused(errno.ENOTDIR):
        os.rmdir('d')
    with refused(errno.ENOENT):
        os.unlink('absent')


def attributes():
    os.umask(0o027)
    write('a', b'', mode=0o666)
    assert os.stat('a').st_mode == stat.S_IFREG | 0o640
    os.mkdir('d', 0o777)
    assert os.stat('d').st_mode == stat.S_IFDIR | 0o750
    os.chmod('a', 0o4751)
    os.chown('a', 7, 8)
    status = os.stat('a')
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (7, 8, 0o751), oct(status.st_mode)
    os.chown('a', -1, 9)
    assert (os.stat('a').st_uid, os.stat('a').st_gid) == (7, 9)
    os.utime('a', ns=(-1_500_000_000, 4_000_000_000_123_456_789))
    assert os.stat('a').st_atime_ns == -1_500_000_000
    assert os.stat('a').st_mtime_ns == 4_000_000_000_123_456_789
    before = os.stat('d').st_mtime_ns
    os.utime('a')
    assert before <= os.stat('a').st_mtime_ns
    os.chmod('d', 0o2770)
    os.chown('d', 0, 9)
    os.mkdir('d/e')
    assert os.stat('d/e').st_gid == 9 and os.stat('d/e').st_mode & stat.S_ISGID


def permissions():
    os.chmod('.', 0o777)
    write('secret', b'', mode=0o600)
    with as_other():
        with refused(errno.EACCES):
            os.open('secret', os.O_WRONLY)
        with refused(errno.EPERM):
            os.chmod('secret', 0o666)
        write('own', b'')
        os.mkdir('folder')
    for name in ['own', 'folder']:
        assert (os.stat(name).st_uid, os.stat(name).st_gid) == (other, other)
    os.chmod('.', 0o755)
    with as_other(), refused(errno.EACCES):
        os.unlink('own')


def setuid_bits():
    os.chmod('.', 0o777)
    for change in [
        lambda: write('a', b'x', os.O_APPEND),
        lambda: os.truncate('a', 0),
        lambda: write('a', b'', os.O_TRUNC),
    ]:
        write('a', b'1')
        os.chmod('a', 0o6777)
        write('a', b'x', os.O_APPEND)
        os.truncate('a', 0)
        assert os.stat('a').st_mode & 0o7000 == 0o6000, 'root keeps them'
        with as_other():
            change()
        assert os.stat('a').st_mode & 0o7777 == 0o777
    os.chmod('a', 0o2767)
    with as_other():
        write('a', b'x', os.O_APPEND)
    assert os.stat('a').st_mode & 0o7777 == 0o2767, 'setgid means something else without group execute'


def running_programs():
    write('a', read('/bin/sleep'), mode=0o755)
    with subprocess.Popen(['./a', '60']) as program:
        for flags in [os.O_WRONLY, os.O_RDWR, os.O_TRUNC]:
            with refused(errno.ETXTBSY):
                os.close(os.open('a', flags))
        assert program.poll() is None and read('a') == read('/bin/sleep'), 'what runs is left alone'
        program.kill()


def xattrs():
    write('a', b'')
    os.setxattr('a', 'user.a', b'\0value\xff')
    assert os.getxattr('a', 'user.a') == b'\0value\xff'
    os.setxattr('a', 'user.a', b'', os.XATTR_REPLACE)
    with refused(errno.EEXIST):
        os.setxattr('a', 'user.a', b'', os.XATTR_CREATE)
    with refused(errno.ENODATA):
        os.setxattr('a', 'user.b', b'', os.XATTR_REPLACE)
    os.setxattr('a', 'user.b', b'x' * 65_536, os.XATTR_CREATE)
    assert sorted(os.listxattr('a')) == ['user.a', 'user.b'] and len(os.getxattr('a', 'user.b')) == 65_536
    os.removexattr('a', 'user.a')
    assert os.listxattr('a') == ['user.b']
    with refused(errno.ENODATA):
        os.removexattr('a', 'user.a')


def allocating():
    file = os.open('a', os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(file, 0, 200_000)
    assert os.fstat(file).st_size == 200_000
    os.pwrite(file, b'x' * 200_000, 0)
    fallocate(file, KEEP_SIZE, 100_000, 200_000)
    assert os.fstat(file).st_size == 200_000
    fallocate(file, PUNCH_HOLE | KEEP_SIZE, 65_536, 65_536)
    assert os.lseek(file, 0, os.SEEK_HOLE) == 65_536 and os.lseek(file, 65_536, os.SEEK_DATA) == 131_072
    fallocate(file, ZERO_RANGE, 199_999, 2)
    data = b'x' * 65_536 + b'\0' * 65_536 + b'x' * (199_999 - 131_072) + b'\0\0'
    assert os.pread(file, 300_000, 0) == data
    with refused(errno.EOPNOTSUPP):
        fallocate(file, 8, 0, 4096)
    os.close(file)


def copying_ranges():
    data = os.urandom(3 << 20)
    write('a', data)
    write('b', b'-' * 10)
    source, target = os.open('a', os.O_RDONLY), os.open('b', os.O_RDWR)
    done = 0
    while count := os.copy_file_range(source, target, 1 << 62, done, 5 + done):
        done += count
    assert done == len(data) and os.pread(target, 4 << 20, 0) == b'-----' + data
    os.close(source)
    os.close(target)


def mapping():
    write('a', b'-' * 10_000)
    file = os.open('a', os.O_RDWR)
    with mmap.mmap(file, 10_000) as mapped:
        mapped[5_000:5_003] = b'map'
        mapped.flush()
        assert os.pread(file, 3, 5_000) == b'map'
        os.pwrite(file, b'write', 0)
        assert mapped[:5] == b'write'
        mapped[9_999:] = b'!'
    os.close(file)
    assert read('a')[9_999:] == b'!' and os.stat('a').st_size == 10_000


def random_changes():
    """As fsx does: after each of many changes by any way, the file has the bytes of a model."""
    most = 400_000
    model = bytearray()
    choose = random.Random(1)
    file = os.open('a', os.O_CREAT | os.O_RDWR)

    def put(offset, data):
        if len(data) == 0:
            return
        model.extend(bytes(max(0, offset + len(data) - len(model))))
        model[offset : offset + len(data)] = data

    def write_at(offset, length):
        data = choose.randbytes(length)
        os.pwrite(file, data, offset)
        put(offset, data)

    def write_mapped(offset, length):
        length = min(length, len(model) - offset)
        if length > 0:
            data = choose.randbytes(length)
            with mmap.mmap(file, len(model)) as mapped:
                mapped[offset : offset + length] = data
            put(offset, data)

    def truncate(size, _):
        os.ftruncate(file, size)
        model.extend(bytes(max(0, size - len(model))))
        del model[size:]

    def punch(offset, length):
        fallocate(file, PUNCH_HOLE | KEEP_SIZE, offset, length)
        end = min(len(model), offset + length)
        if offset < end:
            put(offset, bytes(end - offset))

    def zero(offset, length):
        fallocate(file, ZERO_RANGE, offset, length)
        put(offset, bytes(length))

    def copy(offset, length):
        target = choose.randrange(most)
        if abs(target - offset) >= length:
            count = os.copy_file_range(file, file, length, offset, target)
            put(target, bytes(model[offset : offset + count]))

    def reopen(_, __):
        nonlocal file
        os.close(file)
        file = os.open('a', os.O_RDWR)

    for _ in range(500):
        change = choose.choice([write_at, write_at, write_mapped, truncate, punch, zero, copy, reopen])
        change(choose.randrange(most), choose.randrange(1, 70_000))
        assert os.fstat(file).st_size == len(model), change
        assert os.pread(file, 2 * most, 0) == model, change
    os.close(file)
    assert read('a') == model


def unnamed_files():
    file = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(file, b'unnamed')
    assert os.listdir() == [] and os.fstat(file).st_nlink == 0
    path = f'/proc/self/fd/{file}'.encode()
    call(libc.linkat(AT_FDCWD, path, AT_FDCWD, b'named', AT_SYMLINK_FOLLOW))
    os.close(file)
    assert read('named') == b'unnamed' and os.stat('named').st_nlink == 1


def names():
    longest = b'\xff' * 255
    write(longest, b'')
    os.mkdir(b'caf\xe9\n')
    os.rename(longest, b'caf\xe9\n/' + longest)
    assert os.listdir(b'caf\xe9\n') == [longest]
    for change in [lambda name: write(name, b''), os.mkdir, lambda name: os.symlink('x', name)]:
        with refused(errno.ENAMETOOLONG):
            change('x' * 256)


def listing():
    names = {f'file {i}' for i in range(1000)}
    for name in names:
        write(name, b'')
        # Listings are kept in between.
        if name.endswith('00'):
            os.listdir()
    assert set(os.listdir()) == names and set(os.listdir()) == names
    os.unlink('file 7')
    os.rename('file 8', 'renamed')
    os.mkdir('folder')
    assert set(os.listdir()) == (names - {'file 7', 'file 8'}) | {'renamed', 'folder'}
    folder = os.open('.', os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    for entry in os.scandir():
        os.rmdir(entry) if entry.is_dir() else os.unlink(entry)
    assert os.listdir() == []


folder, case = sys.argv[1:]
os.chdir(folder)
globals()[case]()
