import { Memo } from "../lib/memo.ts";

/** The resource classes that rewards know. */
export type Resource = "cpu" | "memory" | "storage" | "gpu" | "network";

const ALIASES: readonly (readonly [Resource, readonly string[]])[] = [
  [
    "cpu",
    ["compute", "cpu", "cpu_core_hours", "core-hour", "core_hours", "corehours", "cpu_hours"],
  ],
  ["memory", ["memory", "ram", "mem", "memory_gb_hours", "gb-hour", "gb_hours"]],
  ["storage", ["storage", "disk", "storage_gb_hours"]],
  ["gpu", ["gpu", "gpu_hours", "gpu-hour"]],
  ["network", ["network", "bandwidth", "network_gb"]],
];

/** Longest usage type in bytes of UTF-8. */
export const USAGE_TYPE_BYTES_MAX = 64;

/**
 * The text that stands for a usage type everywhere but in the record itself (RULES 9): spaces and
 * tabs trimmed, A–Z lowered byte by byte, aliases replaced; any other text stays.
 */
export function normaliseUsageType(text: string): string {
  const known = normalised.get(text);
  if (known !== undefined) return known;
  const found = normalise(text);
  // A type is that short in a message; a query may ask for any text.
  if (text.length <= USAGE_TYPE_BYTES_MAX) normalised.set(text, found);
  return found;
}

const normalised = new Memo<string>(1000);

function normalise(text: string): string {
  const lowered = trimBlanks(text).replace(/[A-Z]/g, (letter) =>
    String.fromCharCode(letter.charCodeAt(0) + 32),
  );
  const found = ALIASES.find(([, names]) => names.includes(lowered));
  return found === undefined ? lowered : found[0];
}

/** Without spaces and tabs at both ends, in one pass: a pattern would take quadratic time. */
function trimBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === " " || text[at] === "\t";
  let [start, end] = [0, text.length];
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

/** The resource whose multiplier a normalised type has: unknown types count as cpu. */
export function resourceOf(type: string): Resource {
  switch (type) {
    case "memory":
    case "storage":
    case "gpu":
    case "network":
      return type;
    default:
      return "cpu";
  }
}

/** What one unit of a normalised type is called on an invoice. */
export function unitOf(type: string): string {
  switch (type) {
    case "cpu":
      return "core-hour";
    case "memory":
    case "storage":
      return "gb-hour";
    case "gpu":
      return "gpu-hour";
    case "network":
      return "gb";
    default:
      return "unit";
  }
}
