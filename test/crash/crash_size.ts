import process from "node:process";

const long = process.env["SETTLED_LONG"] === "1";

/** The seed of a crash test, and how many rounds it runs: few in `npm test`, many in `npm run crash`. */
export function crashSize(name: "POINTS" | "KILLS", few: number, many: number) {
  const rounds = Number(process.env[`SETTLED_CRASH_${name}`] ?? (long ? many : few));
  return { seed: Number(process.env["SETTLED_CRASH_SEED"] ?? "7"), rounds };
}
