/**
 * Which web pages may use the server. A request without an origin comes from no web page. By
 * default pages of this machine may, and browser extensions, because wallets are such; a list of
 * origins ("https://app.example.com", or "*" for all) replaces that.
 */
export interface Origins {
  /** Whether a page may read answers and open a WebSocket. */
  mayRead(origin: string | undefined): boolean;
  /** Whether a page may move time and blocks: pages of this machine, or listed by name. */
  mayControl(origin: string | undefined): boolean;
}

const LOOPBACK = /^https?:\/\/(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/;
const EXTENSION = /^(chrome|moz|safari-web)-extension:\/\/[A-Za-z0-9-]+$/;

/** @param allowed undefined or empty: the default */
export function originsOf(allowed: readonly string[] = []): Origins {
  const named = new Set(allowed);
  const mayRead =
    named.size === 0
      ? (origin: string) => LOOPBACK.test(origin) || EXTENSION.test(origin)
      : (origin: string) => named.has(origin) || named.has("*");
  return {
    mayRead: (origin) => origin === undefined || mayRead(origin),
    // "*" means everybody's reading, never everybody's control.
    mayControl: (origin) =>
      origin === undefined || (mayRead(origin) && (LOOPBACK.test(origin) || named.has(origin))),
  };
}

/** Whether an address that a server is bound to can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
