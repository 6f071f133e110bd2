/**
 * The fields of one line of CSV (RFC 4180, without line breaks inside fields).
 * @returns what is wrong, in words, when it is not one
 */
export function splitCsvRow(text: string): string[] | string {
  const row = text.endsWith("\r") ? text.slice(0, -1) : text;
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const end = row[at] === '"' ? closingQuote(row, at) : unquotedEnd(row, at);
    if (end === undefined) return "a quoted field does not end on its line";
    const isQuoted = row[at] === '"';
    const field = isQuoted ? row.slice(at + 1, end - 1).replaceAll('""', '"') : row.slice(at, end);
    if (!isQuoted && field.includes('"')) return "a quote inside a field that is not quoted";
    fields.push(field);
    if (end === row.length) return fields;
    if (row[end] !== ",") return `expected a comma after a quoted field, found "${row[end]}"`;
    at = end + 1;
  }
}

/** The place after the quote that ends the field; two quotes in a row are one of the text. */
function closingQuote(row: string, start: number): number | undefined {
  for (let at = start + 1; at < row.length; at += 1) {
    if (row[at] !== '"') continue;
    if (row[at + 1] !== '"') return at + 1;
    at += 1;
  }
  return undefined;
}

function unquotedEnd(row: string, start: number): number {
  const end = row.indexOf(",", start);
  return end === -1 ? row.length : end;
}
