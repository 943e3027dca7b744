import { constants } from 'node:sqlite'

/** Functions whose answer depends on their arguments alone, and which touch nothing: what is not here may not be called. */
const functions = new Set(
  `abs ceil ceiling char coalesce concat concat_ws exp floor format glob hex if ifnull iif instr length like likelihood likely
   ln log log10 log2 lower ltrim max min mod nullif octet_length pow power printf quote replace round rtrim sign soundex sqrt
   substr substring trim trunc typeof unhex unicode unistr unlikely upper
   date datetime julianday strftime time timediff unixepoch
   avg count group_concat median percentile string_agg sum total
   cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
   json json_array json_array_length json_each json_extract json_group_array json_group_object json_object json_quote json_tree
   json_type json_valid -> ->>`.split(/\s+/),
)

/** Pragmas that tell what a database holds, and change nothing. */
const pragmas = new Set(
  'encoding foreign_key_list index_info index_list index_xinfo page_count page_size table_info table_list table_xinfo'.split(
    ' ',
  ),
)

/** For `setAuthorizer`: reading is allowed, and nothing else. */
export function allowReading(action: number, first: string | null, second: string | null): number {
  return isReading(action, first, second) ? constants.SQLITE_OK : constants.SQLITE_DENY
}

function isReading(action: number, first: string | null, second: string | null): boolean {
  switch (action) {
    case constants.SQLITE_SELECT:
    case constants.SQLITE_READ:
    case constants.SQLITE_RECURSIVE:
      return true
    case constants.SQLITE_FUNCTION:
      return functions.has((second ?? '').toLowerCase())
    case constants.SQLITE_PRAGMA:
      return pragmas.has((first ?? '').toLowerCase()) && !(first === 'encoding' && second !== null)
    default:
      return false
  }
}
