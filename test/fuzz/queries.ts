import { QueryLanguageError } from "../../src/node/errors.ts";
import { eventsMatch, reservedOfBlock, reservedOfTx } from "../../src/node/event_match.ts";
import { parseQuery, type Query } from "../../src/node/query_language.ts";
import { event } from "../../src/types/event.ts";
import type { Random } from "../simulation/random.ts";
import { QUERIES } from "./corpus.ts";
import { mutateText, utf8 } from "./mutate.ts";
import { FuzzFault, showBytes, type Target } from "./target.ts";

const EVENTS = [
  event("transfer", { sender: "ve1a", recipient: "ve1b", amount: "8uve" }),
  event("message", { action: "MsgRecordUsage", sender: "ve1a", module: "settlement" }),
  event("usage", { units: "9".repeat(2000), at: "2026-01-02T15:04:05.1Z", text: "\ud800'" }),
  event("a", { b: "1", "": "2", "c.d": "3" }),
];
const RESERVED = [reservedOfTx(new Uint8Array(32).fill(7), 5n), reservedOfBlock(2n ** 62n)];

/** Searches and subscriptions as text: a query or its own refusal, and a match that ends. */
export class Queries implements Target {
  readonly name = "query";
  readonly headBytes = 0;

  make(random: Random): Uint8Array {
    const [text, other] = [random.pick(QUERIES), random.pick(QUERIES)];
    return mutateText(random, utf8(text), utf8(other));
  }

  run(input: Uint8Array): void {
    const text = Buffer.from(input).toString("utf8");
    let query: Query;
    try {
      query = parseQuery(text);
    } catch (error) {
      if (!(error instanceof QueryLanguageError)) throw error;
      return;
    }
    for (const reserved of RESERVED) {
      const found: unknown = eventsMatch(query, reserved, EVENTS);
      if (typeof found !== "boolean") throw new FuzzFault(`a match is ${typeof found}`);
    }
  }

  show(input: Uint8Array): string {
    return `query ${showBytes(input)}`;
  }
}
