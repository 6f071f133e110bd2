import { describe, expect, test } from "vitest";
import { QueryLanguageError } from "../../../src/node/errors.ts";
import { eventsMatch } from "../../../src/node/event_match.ts";
import { parseQuery } from "../../../src/node/query_language.ts";
import { event } from "../../../src/types/event.ts";

describe("parser", () => {
  test("reads every operator and operand", () => {
    const text =
      "a.b='x y' AND c.d=1 and e_f.g-h<2.50 AND i.j>=3 AND k.l CONTAINS 'z' AND m.n EXISTS AND " +
      "o.p > TIME 2013-05-03T14:45:00Z And q.r <= DATE 2013-05-03";
    const query = parseQuery(text);
    expect(query.map(({ tag, operator }) => `${tag}${operator}`)).toEqual([
      "a.b=",
      "c.d=",
      "e_f.g-h<",
      "i.j>=",
      "k.lCONTAINS",
      "m.nEXISTS",
      "o.p>",
      "q.r<=",
    ]);
    expect(query[0]?.operand).toEqual({ kind: "text", text: "x y" });
    expect(query[2]?.operand).toEqual({ kind: "number", number: { digits: 250n, places: 2 } });
  });

  test.each([
    { text: "", error: "expected a tag such as tx.height, found the end at offset 0" },
    {
      text: "tx.height",
      error: "expected one of = < <= > >= CONTAINS EXISTS, found the end at offset 9",
    },
    {
      text: "tx.height=",
      error: "expected a quoted text, a number, TIME or DATE, found the end at offset 10",
    },
    { text: "tx.hash='abc", error: "the quoted text has no closing quote at offset 8" },
    {
      text: "tx.hash<'abc'",
      error: "expected a number, TIME or DATE after <, found \"'abc'\" at offset 8",
    },
    {
      text: "a.b CONTAINS 5",
      error: 'expected a quoted text after CONTAINS, found "5" at offset 13',
    },
    { text: "a.b=1 OR c.d=2", error: 'expected AND, found "OR c.d=2" at offset 6' },
    { text: "a.b=1 AND", error: "expected a tag such as tx.height, found the end at offset 9" },
    { text: "AND a.b=1", error: 'expected a tag such as tx.height, found "AND a.b=1" at offset 0' },
    { text: "(a.b=1)", error: 'expected a tag such as tx.height, found "(a.b=1)" at offset 0' },
    {
      text: "a.b=12x",
      error: 'expected a quoted text, a number, TIME or DATE, found "12x" at offset 4',
    },
    { text: "a.b=TIME tomorrow", error: "expected a TIME such as 2006-01-02T15:04:05Z" },
    { text: "a.b=DATE 2023-02-30", error: "expected a DATE such as 2006-01-02" },
    { text: `a.b='${"x".repeat(510)}'`, error: "query is longer than 512 characters (516)" },
  ])("says what is wrong with $text", ({ text, error }) => {
    expect(() => parseQuery(text)).toThrow(QueryLanguageError);
    expect(() => parseQuery(text)).toThrow(error);
  });
});

describe("matching", () => {
  const events = [
    event("pay", { from: "a", to: "b", amount: "8.045stake" }),
    event("pay", { from: "c", to: "d", amount: "100000000000000000000001uve" }),
    event("app.v1.Settled", { id: "7" }),
    { type: "note", attributes: [{ key: "hidden", value: "x", index: false }] },
  ];

  test.each([
    { query: "pay.from='a' AND pay.to='b'", matches: true },
    { query: "pay.from='a' AND pay.to='d'", matches: false },
    { query: "pay.from='a' AND app.v1.Settled.id=7", matches: true },
    { query: "pay.amount=8.045", matches: true },
    { query: "pay.amount>100000000000000000000000", matches: true },
    { query: "pay.amount>=100000000000000000000002", matches: false },
    { query: "pay.from>0", matches: false },
    { query: "note.hidden EXISTS", matches: false },
    { query: "tx.height>=5 AND tx.height<6", matches: true },
    { query: "tx.height<5", matches: false },
  ])("$query: $matches", ({ query, matches }) => {
    expect(eventsMatch(parseQuery(query), new Map([["tx.height", ["5"]]]), events)).toBe(matches);
  });
});
