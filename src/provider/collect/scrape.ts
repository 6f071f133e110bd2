import { readFile } from "node:fs/promises";
import { type ClientRequestArgs, get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { Exposition } from "./prometheus_text.ts";

/** How a page is fetched. */
export interface ScrapeSettings {
  readonly url: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

/** A page, or in words why there is none. */
type ScrapeResult = { readonly page: Exposition } | { readonly reason: string };

const ACCEPT =
  "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.8,*/*;q=0.1";

interface Shared {
  readonly startedMs: number;
  readonly result: Promise<ScrapeResult>;
}

const SHARED_MS = 500;
const shared = new Map<string, Shared>();

/**
 * Fetches a page. Collectors that ask for one page within half a second get the same: an exporter
 * of a hundred workloads is asked once, not a hundred times.
 * @param steadyMs of the moment for which the page is asked
 */
export function scrape(settings: ScrapeSettings, steadyMs: number): Promise<ScrapeResult> {
  for (const [key, { startedMs }] of shared) {
    if (Math.abs(steadyMs - startedMs) >= SHARED_MS) shared.delete(key);
  }
  const key = JSON.stringify(settings);
  const known = shared.get(key);
  if (known !== undefined) return known.result;
  const result = fetchPage(settings).catch((error: unknown) => ({
    reason: `${settings.url}: ${(error as Error).message}`,
  }));
  shared.set(key, { startedMs: steadyMs, result });
  return result;
}

async function fetchPage(settings: ScrapeSettings): Promise<ScrapeResult> {
  const { url, timeoutMs, tokenFile, caFile } = settings;
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
  const ca = caFile === undefined ? {} : { ca: await readFile(caFile, "utf8") };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { accept: ACCEPT, ...authorization };
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await open(url, { ...ca, headers, signal });
    return await readPage(response, settings);
  } catch (error) {
    if (signal.aborted) return { reason: `${url}: no whole page within ${timeoutMs} ms` };
    throw error;
  }
}

function open(url: string, options: ClientRequestArgs): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith("https:") ? getHttps : getHttp;
    get(url, options, resolve).once("error", reject);
  });
}

async function readPage(
  response: IncomingMessage,
  { url, maxBytes }: ScrapeSettings,
): Promise<ScrapeResult> {
  if (response.statusCode !== 200) {
    response.destroy();
    return { reason: `${url}: answered with status ${response.statusCode}, and not 200` };
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      response.destroy();
      return { reason: `${url}: the page is longer than maxBytes (${maxBytes})` };
    }
    chunks.push(chunk);
  }
  const type = response.headers["content-type"] ?? "";
  const isOpenMetrics = type.startsWith("application/openmetrics-text");
  const page = new Exposition(Buffer.concat(chunks).toString("utf8"), isOpenMetrics);
  if (!page.isWhole) {
    const end = isOpenMetrics ? '"# EOF"' : "end of a line";
    return { reason: `${url}: the page has no ${end} at its end, so it was cut short` };
  }
  return { page };
}
