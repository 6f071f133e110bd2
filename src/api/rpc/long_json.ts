import type { Pace } from "../../node/pace.ts";
import { type JsonText, JsonTextWriter } from "../json_text.ts";
import { isObject, type Json, LongList } from "./json.ts";

/** Whether there is a long list in a value; in a plain list none is looked for. */
export function isLong(value: Json): boolean {
  if (value instanceof LongList) return true;
  if (!isObject(value)) return false;
  for (const name of Object.keys(value)) if (isLong(value[name] as Json)) return true;
  return false;
}

/** What JSON.stringify gives, with turns for others. @throws the reason of the pace */
export async function longJson(value: Json, pace: Pace): Promise<JsonText> {
  const writer = new JsonTextWriter(pace);
  await write(writer, value);
  return writer.end();
}

async function write(writer: JsonTextWriter, value: Json): Promise<void> {
  if (value instanceof LongList) return writeList(writer, value);
  if (!isLong(value)) return writer.write(JSON.stringify(value));
  let before = "{";
  for (const [name, member] of Object.entries(value as Readonly<Record<string, Json>>)) {
    const wait = writer.write(`${before}${JSON.stringify(name)}:`);
    if (wait !== undefined) await wait;
    await write(writer, member);
    before = ",";
  }
  return writer.write("}");
}

async function writeList(writer: JsonTextWriter, list: LongList): Promise<void> {
  let before = "[";
  for (let at = 0; at < list.length; at += 1) {
    const item = list.item(at);
    if (isLong(item)) {
      await writer.write(before);
      await write(writer, item);
    } else {
      const wait = writer.write(before + JSON.stringify(item));
      if (wait !== undefined) await wait;
    }
    before = ",";
  }
  return writer.write(list.length === 0 ? "[]" : "]");
}
