/** The examples of a command's help: lines to copy. */
export function examples(...lines: readonly string[]): string {
  const rows = lines.map((line) => `  $ settled ${line}`);
  return `\nExamples:\n${rows.join("\n")}\n`;
}
