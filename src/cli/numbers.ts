import { usageError } from "./cli_error.ts";

/** A whole number from 0 of a flag; undefined where the flag is absent. */
export function parseFieldNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw usageError(`${flag}: expected a number from 0, found "${text}"`);
}
