// usage: node hyparquet.mjs rows FILE...         every row, as a line of JSON
//        node hyparquet.mjs groups FILE FILTER   [row groups read, row groups there, rows of the pages read, metadata.uid of the rows that the filter leaves]; {"$date": milliseconds} is a time
// readers.py gives it to node on standard input, in the folder where the two packages are installed: that is where their names lead.
import { readFileSync } from 'node:fs'
import { parquetMetadata, parquetReadObjects, parquetScan } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

// JSON has numbers of any size, and JavaScript's serializer does not.
function json (value) {
  if (value === undefined || value === null) return 'null'
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Date) return String(value.getTime())
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}:${json(v)}`).join(',')}}`
  return JSON.stringify(value)
}

// JSON stays text: parsed here, its numbers would be rounded.
const decoder = new TextDecoder()
const parsers = { jsonFromBytes: text => text && decoder.decode(text) }

// What every call takes, of the file at `path`.
function open (path) {
  const bytes = readFileSync(path)
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  const file = { byteLength: buffer.byteLength, slice: async (from, to) => buffer.slice(from, to) }
  return { file, metadata: parquetMetadata(buffer), compressors, parsers }
}

async function groups (path, query) {
  const options = open(path)
  const filter = JSON.parse(query, (key, value) => value?.$date === undefined ? value : new Date(value.$date))
  const scan = await parquetScan({ ...options, pruningFilter: filter, useBloomFilters: true, usePageIndex: true })
  let start = 0
  let read = 0
  for (const group of options.metadata.row_groups) {
    const end = start + Number(group.num_rows)
    if (scan.ranges.some(range => range.rowStart < end && range.rowEnd > start)) ++read
    start = end
  }
  const rows = await parquetReadObjects({ ...options, filter, useBloomFilters: true, usePageIndex: true, columns: ['metadata'] })
  const kept = scan.ranges.reduce((sum, range) => sum + range.rowEnd - range.rowStart, 0)
  console.log(json([read, options.metadata.row_groups.length, kept, rows.map(row => row.metadata.uid)]))
}

const [what, ...rest] = process.argv.slice(2)
if (what === 'rows') {
  for (const path of rest) {
    for (const row of await parquetReadObjects(open(path))) console.log(json(row))
  }
} else {
  await groups(...rest)
}
