import type { NodeEvent } from "../../node/view.ts";
import { type BlockPart, encodeEventData } from "./encode/event.ts";
import type { RpcId } from "./route.ts";

export type Attributes = ReadonlyMap<string, readonly string[]>;

/** A subscription query as the event bus of the node gets it. */
export interface BusQuery {
  readonly query: string;
  /** The part of a new block that the subscriber wants instead of the block. */
  readonly part: BlockPart | undefined;
}

const PART_CONDITION = /(^\s*|\s[Aa][Nn][Dd]\s+)tm\.event\s*=\s*'(NewBlockHeader|NewBlockEvents)'/;

/**
 * The node publishes blocks and txs; a header or the events of a block are a new block to its bus.
 * A quoted value cannot hold a quote, so that the condition is never found inside of one.
 */
export function busQuery(query: string): BusQuery {
  const match = PART_CONDITION.exec(query);
  if (match === null) return { query, part: undefined };
  const [, before = "", part] = match;
  const rewritten = query.replace(PART_CONDITION, `${before}tm.event='NewBlock'`);
  return { query: rewritten, part: part === "NewBlockHeader" ? part : "NewBlockEvents" };
}

// Every subscriber gets the same objects: what is the same for all is written once.
const dataTexts = new WeakMap<NodeEvent, Map<BlockPart | undefined, string>>();
const eventsTexts = new WeakMap<Attributes, Map<BlockPart | undefined, string>>();

/** The message that tells a subscriber of an event: JSON with the id and query it subscribed with. */
export function eventFrame(
  subscription: {
    readonly id: RpcId;
    readonly query: string;
    readonly part: BlockPart | undefined;
  },
  event: NodeEvent,
  attributes: Attributes,
): string {
  const { id, query, part } = subscription;
  const result = `{"query":${JSON.stringify(query)},"data":${dataText(event, part)},"events":${eventsText(attributes, part)}}`;
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
}

function dataText(event: NodeEvent, part: BlockPart | undefined): string {
  const known = dataTexts.get(event) ?? new Map<BlockPart | undefined, string>();
  dataTexts.set(event, known);
  const text = known.get(part) ?? JSON.stringify(encodeEventData(event, part));
  known.set(part, text);
  return text;
}

function eventsText(attributes: Attributes, part: BlockPart | undefined): string {
  const known = eventsTexts.get(attributes) ?? new Map<BlockPart | undefined, string>();
  eventsTexts.set(attributes, known);
  const text = known.get(part) ?? writeEvents(attributes, part);
  known.set(part, text);
  return text;
}

function writeEvents(attributes: Attributes, part: BlockPart | undefined): string {
  const shown = new Map(attributes);
  if (part !== undefined) shown.set("tm.event", [part]);
  return JSON.stringify(Object.fromEntries(shown));
}
