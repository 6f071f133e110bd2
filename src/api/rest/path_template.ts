import { InvariantError } from "../../lib/assert.ts";

/** One part of a path between slashes: a text that must stand there, or what a variable takes. */
export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  /** One segment. */
  | { readonly kind: "one" }
  /** All that is left, one segment at least. */
  | { readonly kind: "rest" };

/** A variable: a field of the request by its path, and the segments that it takes. */
export interface Variable {
  readonly field: string;
  readonly start: number;
  /** undefined: to the end. */
  readonly end: number | undefined;
}

export interface PathTemplate {
  readonly segments: readonly Segment[];
  readonly variables: readonly Variable[];
}

const PART = /\{([a-zA-Z0-9_.]+)(?:=([^{}]+))?\}|([^/{}]+)/y;

/**
 * Parses a path template of google.api.http: "/a/{id}", "/a/{name=**}", "/a/{name=b/*}/c". Verbs at
 * the end (":cancel") are not known.
 * @throws InvariantError for another form
 */
export function parseTemplate(template: string): PathTemplate {
  const segments: Segment[] = [];
  const variables: Variable[] = [];
  let at = 0;
  while (at < template.length) {
    PART.lastIndex = at + 1;
    const match = template[at] === "/" ? PART.exec(template) : null;
    if (match === null) throw new InvariantError(`path template ${template}: offset ${at}`);
    const [, field, pattern = "*", literal] = match;
    const start = segments.length;
    segments.push(...(literal ?? pattern).split("/").map(segmentOf));
    const isOpen = segments.at(-1)?.kind === "rest";
    if (field !== undefined) {
      variables.push({ field, start, end: isOpen ? undefined : segments.length });
    }
    at = PART.lastIndex;
    if (isOpen && at < template.length) {
      throw new InvariantError(`path template ${template}: ** stands at the end`);
    }
  }
  return { segments, variables };
}

function segmentOf(text: string): Segment {
  if (text === "*") return { kind: "one" };
  return text === "**" ? { kind: "rest" } : { kind: "literal", text };
}
