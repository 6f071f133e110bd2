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
export function resourceOf(normalised: string): Resource {
  const found = ALIASES.find(([resource]) => resource === normalised);
  return found === undefined ? "cpu" : found[0];
}

/** What one unit of a normalised type is called on an invoice. */
export function unitOf(normalised: string): string {
  switch (normalised) {
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
