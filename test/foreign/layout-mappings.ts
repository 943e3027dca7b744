/** By the name of a layout (`foreignLayouts`) the mapping that a person would write for it. */
export const layoutMappings: Readonly<Record<string, string>> = {
  paths: `
database = "export/snap.{number}"
from = "files"
[columns]
path = "path"
mode = "mode"
uid = "uid"
gid = "gid"
size = "size"
mtime = "mtime"
object = "object"
target = "link"
`,
  parents: `
database = "export/snap.{number}"
from = "entries"
mode_unit = "octal"
[columns]
id = "id"
parent = "parent_id"
name = "name"
mode = "perms"
uid = "owner"
gid = "grp"
size = "length"
mtime = "modified"
object = "object_id"
target = "target"
`,
  numeric: `
database = "export/snap.{number}"
from = "f LEFT JOIN b ON b.i = f.b LEFT JOIN l ON l.i = f.i"
time_unit = "ms"
types = { file = [1], folder = [2], symlink = [3] }
[columns]
id = "f.i"
parent = "f.p"
name = "f.n"
type = "f.t"
mode = "f.m"
uid = "f.u"
gid = "f.g"
size = "b.s"
mtime = "f.mt"
object = "b.k"
target = "l.d"
encoding = "'gzip'"
`,
  wal: `
database = "export/snap.{number}"
from = "backup_file"
mode_unit = "octal"
time_unit = "iso"
[columns]
path = "file_path"
type = "file_type"
mode = "permissions"
uid = "owner_id"
gid = "group_id"
size = "file_size"
mtime = "last_modified"
object = "file_id"
target = "link_to"
`,
  shared: `
database = "export/full"
from = "entry"
where = "snap = :number"
[columns]
path = "fullpath"
mode = "st_mode"
uid = "st_uid"
gid = "st_gid"
size = "st_size"
mtime = "st_mtime"
object = "sum"
sha256 = "sum"
target = "symlink"
`,
  json: `
database = "export/snap.{number}"
from = "list"
mode_unit = "octal"
time_unit = "ms"
[columns]
path = "p"
mode = "perm"
uid = "u"
gid = "g"
size = "len"
mtime = "ts"
object = "obj"
target = "ln"
`,
  manifest: `
database = "snap.{number}/jetbackup.index"
from = "content"
mode_unit = "octal"
time_unit = "ms"
[columns]
path = "dir || '/' || base"
type = "kind"
mode = "chmod"
uid = "uid"
gid = "gid"
size = "bytes"
mtime = "mtime_ms"
object = "blob_id"
encoding = "'gzip'"
target = "points_to"
`,
}
