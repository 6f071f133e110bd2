import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const NAMES = ["chromium", "google-chrome", "chromium-browser"];

/** A name that is this machine's to the browser: pages under it are not "of this machine". */
export const PUBLIC_NAME = "app.example";

/** Nothing of a browser's own on the network, and nothing that wants a display. */
const ARGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
  `--host-resolver-rules=MAP ${PUBLIC_NAME} 127.0.0.1`,
];

/** The program of a browser, or why there is none. */
export type FoundBrowser = { readonly path: string } | { readonly missing: string };

export async function findBrowser(): Promise<FoundBrowser> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const path of NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    // Some systems have a program of this name that only says how to get it.
    const runs = await promisify(execFile)(path, ["--version"]).then(
      () => true,
      () => false,
    );
    if (runs) return { path };
  }
  return { missing: `none of ${NAMES.join(", ")} is on the PATH` };
}

/** A browser of its own: nothing of another one's profile. */
export interface OpenBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** Starts it without a window. */
export async function openBrowser(path: string): Promise<OpenBrowser> {
  const profile = await mkdtemp(join(tmpdir(), "settled-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    ...{ executablePath: path, headless: true, args: ARGS },
    viewport: { width: 1100, height: 900 },
  });
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  };
  return { context, close };
}

/** What a page asked for, and what it complained of. */
export interface PageLog {
  readonly requests: string[];
  readonly complaints: string[];
}

/** Notes everything from now on. A request to a host but `hosts` is cut and noted. */
export async function watched(page: Page, hosts: readonly string[]): Promise<PageLog> {
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (/^(error|warning)$/.test(message.type())) complaints.push(message.text());
  });
  await page.route(
    ({ protocol, host }) => protocol !== "data:" && !hosts.includes(host),
    (route) => route.abort(),
  );
  return { requests, complaints };
}
