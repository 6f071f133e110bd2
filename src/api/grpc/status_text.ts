/** Characters of a status message: it travels in a header, and each may take nine bytes there. */
const MAX_CHARS = 1000;

/** A message that fits into a header; half characters, which cannot be encoded, are replaced. */
export function statusText(message: string): string {
  const text = message.length > MAX_CHARS ? `${message.slice(0, MAX_CHARS)}…` : message;
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
