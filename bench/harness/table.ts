import type { Figure } from "./figure.ts";
import type { Result } from "./result.ts";

const HEAD = ["figure", "value", "unit", "ratio", "target", "spread", "verdict"];

/** The results as a table of text. */
export function tableOf(results: readonly Result[]): string {
  const rows = [HEAD, ...results.map(rowOf)];
  const widths = HEAD.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        const isNumber = column === 1 || (column >= 3 && column <= 5);
        return isNumber ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return `${[lines[0], rule, ...lines.slice(1)].join("\n")}\n`;
}

function rowOf({ figure, value, ratio, spread, isUnstable, verdict, samples }: Result): string[] {
  if (value === undefined || ratio === undefined)
    return [figure.name, "-", figure.unit, "-", targetOf(figure), "-", verdict];
  const width = samples.length < 2 ? "-" : `${Math.round(100 * spread)} %`;
  const words = isUnstable ? [verdict, "unstable"] : [verdict];
  const shownRatio = figure.scale === "plain" || figure.scale === "limit" ? "" : shown(ratio);
  const said = words.filter((word) => word !== "").join(", ");
  return [figure.name, shown(value), figure.unit, shownRatio, targetOf(figure), width, said];
}

function targetOf({ target, better, unit }: Figure): string {
  if (target === undefined) return "";
  const sign = better === "higher" ? ">=" : "<=";
  const what = target.of === "ratio" ? "x" : unit === "x" ? "" : ` ${unit}`;
  return `${sign} ${target.bound}${what}`;
}

/** Three significant digits, whole above a hundred, with commas. */
export function shown(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return Number(value.toPrecision(3)).toString();
}
