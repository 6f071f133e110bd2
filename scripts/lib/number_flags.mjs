import { UserError } from "./root.mjs";

/**
 * Flags with a whole number from 1 each.
 * @param defaults by flag, such as {"--seed": 1}; other flags are refused
 * @param help shown with an unknown flag
 * @returns the numbers by flag
 */
export function numberFlags(args, defaults, help) {
  const values = { ...defaults };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value = ""] = args.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${help}`, 2);
    if (!/^[1-9][0-9]{0,7}$/.test(value)) {
      throw new UserError(`${flag} takes a whole number from 1`, 2);
    }
    values[flag] = Number(value);
  }
  return values;
}
