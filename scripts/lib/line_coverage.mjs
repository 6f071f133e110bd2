import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * What V8 counted (NODE_V8_COVERAGE), as lines of compiled files: a line counts as run unless all
 * of it lies in code that never ran. Empty lines, comments and lone brackets are no lines.
 * @param folder where V8 wrote its JSON
 * @param pattern of the paths of the files that matter
 * @returns text, a line per file and one for all of them
 */
export function lineCoverage(folder, pattern) {
  const unreached = new Map();
  for (const name of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, name), "utf8"));
    for (const { url, functions } of result) {
      if (!url.startsWith("file:") || !pattern.test(url)) continue;
      const path = fileURLToPath(url);
      const found = unreachedLines(readFileSync(path, "utf8"), functions);
      const before = unreached.get(path)?.lines;
      // Several processes: a line is unreached when it is so in each.
      const lines = before?.filter((line) => found.lines.includes(line)) ?? found.lines;
      unreached.set(path, { ...found, lines });
    }
  }
  let [total, missed] = [0, 0];
  const texts = [...unreached].sort().map(([path, { count, lines }]) => {
    total += count;
    missed += lines.length;
    const where = lines.map((line) => `\n      ${line}`).join("");
    return `${share(count, lines.length)}  ${basename(path)}${where}`;
  });
  return [...texts, `${share(total, missed)}  of all ${total} lines`];
}

function share(count, missed) {
  return `${((100 * (count - missed)) / Math.max(1, count)).toFixed(1)} %`.padStart(8);
}

function unreachedLines(source, functions) {
  // Inner ranges come after those around them: the last one that holds a place says its count.
  const counts = new Int32Array(source.length).fill(1);
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges)
      counts.fill(count, startOffset, endOffset);
  }
  const lines = [];
  let [at, count] = [0, 0];
  for (const [index, line] of source.split("\n").entries()) {
    const text = line.trim();
    if (/[a-zA-Z0-9]/.test(text) && !/^(\/\/|\/?\*)/.test(text)) {
      count += 1;
      const first = at + line.indexOf(text);
      let isReached = false;
      for (let place = first; place < first + text.length; place += 1) {
        if (counts[place] > 0 && source[place] !== " ") isReached = true;
      }
      if (!isReached) lines.push(`${index + 1}: ${text}`);
    }
    at += line.length + 1;
  }
  return { count, lines };
}
