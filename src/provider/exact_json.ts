// Strings are matched first, so that digits inside them stay. What JSON.parse would round (more
// than 15 digits) is quoted, and so read exactly.
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?[0-9]{16,}(?![0-9.eE])/g;

/**
 * A value of JSON whose integers are exact: those that a number cannot hold come as decimal texts.
 * @returns undefined when the text is not JSON
 */
export function parseExactJson(text: string): unknown {
  const exact = text.replace(STRING_OR_LONG_INTEGER, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
  try {
    return JSON.parse(exact);
  } catch {
    return undefined;
  }
}

/**
 * An object of JSON whose integers are exact: those that a number cannot hold come as decimal texts.
 * @returns what is wrong, in words, when the text is not an object of JSON
 */
export function parseExactObject(text: string): Record<string, unknown> | string {
  const value = parseExactJson(text);
  if (value === undefined) return "not JSON";
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "not a JSON object";
  }
  return value as Record<string, unknown>;
}
