import { ProviderError } from "../errors.ts";

interface Matcher {
  readonly label: string;
  readonly operator: "=" | "!=" | "=~" | "!~";
  readonly test: (value: string) => boolean;
}

const EXAMPLE = '`namespace="shop",pod=~"web-.*",container!=""`';
const TEXT_MAX = 4096;

/** Which series are meant, by their labels, as Prometheus writes it. A missing label is "". */
export class LabelSelector {
  readonly #matchers: readonly Matcher[];

  private constructor(matchers: readonly Matcher[]) {
    this.#matchers = matchers;
  }

  /**
   * @param text matchers between commas, with or without the brackets; `=~` and `!~` match the whole
   * value
   * @throws ProviderError `bad_collector` for what is no selector, and for one that lets all pass:
   * it would bill every workload that the exporter tells of
   */
  static parse(text: string): LabelSelector {
    const matchers: Matcher[] = [];
    let rest = text
      .trim()
      .replace(/^\{(.*)\}$/s, "$1")
      .trim();
    if (text.length > TEXT_MAX) throw wrong(text, `is longer than ${TEXT_MAX} characters`);
    while (rest !== "") {
      const match =
        /^([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,\s*|$)/s.exec(rest);
      if (match === null) throw wrong(text, `cannot be read from ${JSON.stringify(rest)} on`);
      const [all, label = "", operator = "=", quoted = ""] = match;
      const value = unescape(quoted);
      matchers.push(matcherOf(label, operator as Matcher["operator"], value, text));
      rest = rest.slice(all.length);
    }
    if (matchers.every(({ test }) => test(""))) {
      throw wrong(text, "lets every series pass; name at least one label that the workload has");
    }
    return new LabelSelector(matchers);
  }

  matches(labels: ReadonlyMap<string, string>): boolean {
    return this.#matchers.every(({ label, test }) => test(labels.get(label) ?? ""));
  }
}

function matcherOf(
  label: string,
  operator: Matcher["operator"],
  value: string,
  text: string,
): Matcher {
  if (operator === "=") return { label, operator, test: (found) => found === value };
  if (operator === "!=") return { label, operator, test: (found) => found !== value };
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${value})$`, "su");
  } catch (error) {
    throw wrong(
      text,
      `has a pattern for ${label} that cannot be read: ${(error as Error).message}`,
    );
  }
  const isWanted = operator === "=~";
  return { label, operator, test: (found) => pattern.test(found) === isWanted };
}

function unescape(quoted: string): string {
  return quoted.replace(/\\(.)/gs, (_, letter: string) => (letter === "n" ? "\n" : letter));
}

function wrong(text: string, why: string): ProviderError {
  const found = JSON.stringify(text.slice(0, 200));
  return new ProviderError(
    "bad_collector",
    `prometheus: the selector ${found} ${why}; write matchers like ${EXAMPLE}`,
  );
}
