/**
 * A node's address for logs, metrics and people: without user, path and query, which may hold the
 * key of whoever pays for the node.
 */
export function shownUrl(url: string): string {
  try {
    const { origin, pathname, search } = new URL(url);
    return pathname === "/" && search === "" ? origin : `${origin}/…`;
  } catch {
    return url;
  }
}
