import { readFile } from "node:fs/promises";

/** The document of the routes, written by `npm run gen`; as far up from src as from dist. */
const OPENAPI = new URL("../../../docs/openapi.json", import.meta.url);

const HTML = "text/html; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
/** Files of the browsable page by the path that they are served under. */
const PAGE_FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "page.html", type: HTML },
  "/page/page.css": { file: "page.css", type: "text/css; charset=utf-8" },
  "/page/page.mjs": { file: "page.mjs", type: SCRIPT },
  "/page/request.mjs": { file: "request.mjs", type: SCRIPT },
};

/** Nothing from elsewhere: the page works on a machine without a network. */
export const PAGE_POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");

export interface ServedDocument {
  readonly type: string;
  readonly text: string;
  readonly isPage: boolean;
}

/** The document under a path: the page, its parts, or the OpenAPI document of this server. */
export async function documentAt(path: string): Promise<ServedDocument | undefined> {
  if (path === "/openapi.json") {
    return { type: "application/json", text: await openApi(), isPage: false };
  }
  const page = Object.hasOwn(PAGE_FILES, path) ? PAGE_FILES[path] : undefined;
  if (page === undefined) return undefined;
  const text = await readFile(new URL(`./page/${page.file}`, import.meta.url), "utf8");
  return { type: page.type, text, isPage: true };
}

let openApiText: Promise<string> | undefined;

/** The same for all servers: it names the server that it comes from by a relative address. */
async function openApi(): Promise<string> {
  openApiText ??= readFile(OPENAPI, "utf8").then((text) => {
    const servers = [{ url: "/", description: "this node" }];
    return JSON.stringify({ ...(JSON.parse(text) as object), servers });
  });
  return openApiText;
}
