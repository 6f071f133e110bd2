import { UserError } from "./root.mjs";

/**
 * Flags with a whole number each, of at most eight digits.
 * @param defaults by flag, such as {"--seed": 1}; other flags are refused
 * @param help shown with an unknown flag
 * @param least the least number that each takes
 * @returns the numbers by flag
 * @throws UserError for an unknown flag, or what is no such number
 */
export function numberFlags(args, defaults, help, least = 1) {
  const values = { ...defaults };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value = ""] = args.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${help}`, 2);
    if (!/^[0-9]{1,8}$/.test(value) || Number(value) < least) {
      throw new UserError(`${flag} takes a whole number from ${least}`, 2);
    }
    values[flag] = Number(value);
  }
  return values;
}
