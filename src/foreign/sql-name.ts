/** Words that SQLite takes for no name without quotes: those for which its grammar has no fallback. */
const reserved = new Set(
  `add all alter and as autoincrement between case check collate commit constraint create default deferrable delete distinct drop else escape except exists
   foreign from group having in index insert intersect into is isnull join limit not nothing notnull null on or order primary references returning
   select set table then to transaction union unique update using values when where cross full inner left natural outer right
   current_date current_time current_timestamp rowid oid _rowid_ true false`.split(/\s+/),
)

/** The name of a table or column in SQL, in quotes only where it needs them: people are to read it. */
export function sqlName(name: string): string {
  const isPlain = /^[a-z_]\w*$/i.test(name) && !reserved.has(name.toLowerCase())
  return isPlain ? name : `"${name.replaceAll('"', '""').replaceAll('\0', '')}"`
}
