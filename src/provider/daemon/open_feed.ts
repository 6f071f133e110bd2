import { readFile } from "node:fs/promises";
import { ProviderError } from "../errors.ts";
import type { Feed } from "../feed/feed.ts";
import { RowMemory } from "../feed/row_memory.ts";
import type { FeedParts } from "./daemon.ts";
import type { FeedSettings } from "./settings.ts";

/**
 * Opens the feed of some settings where the one before was.
 * @throws ProviderError when it can never work
 */
export async function openFeed(settings: FeedSettings, parts: FeedParts): Promise<Feed> {
  const { cursor, outbox: reader, check } = parts;
  const memory = new RowMemory({ reader, feed: settings.name, nowMs: () => Date.now() });
  switch (settings.kind) {
    case "ndjson": {
      const { openNdjsonFeed } = await import("../feed/ndjson_feed.ts");
      return openNdjsonFeed(settings, cursor, { memory, check });
    }
    case "csv": {
      const { openCsvFeed } = await import("../feed/csv_feed.ts");
      return openCsvFeed(settings, cursor, { memory, check });
    }
    case "cloudevents": {
      const { openCloudEventsFeed } = await import("../feed/cloud_events.ts");
      const { host, port, path, type, tokenFile } = settings;
      const token = tokenFile === undefined ? {} : { token: await readToken(tokenFile) };
      return openCloudEventsFeed({ host, port, path, type, ...token }, { memory, check });
    }
  }
}

async function readToken(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new ProviderError("bad_feed", `the token of a feed: ${error.message}`);
  });
  const [token = ""] = text.split("\n");
  if (token.trim() !== "") return token.trim();
  throw new ProviderError("bad_feed", `${file}: expected a token on its first line, found none`);
}
