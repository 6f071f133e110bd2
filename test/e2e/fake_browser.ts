// The least of a browser that the page of the REST server runs in: elements with classes, ids, text
// and listeners. What it does not have throws.

type Listener = (event: { preventDefault(): void }) => void;

const VOID = /^(meta|link|input|br)$/;

export class FakeElement {
  readonly tag: string;
  /** Of a field in a form. */
  name = "";
  readonly children: FakeElement[] = [];
  readonly listeners = new Map<string, Listener[]>();
  className = "";
  id = "";
  hidden = false;
  value = "";
  open = false;
  #text = "";

  constructor(tag: string) {
    this.tag = tag;
  }

  get textContent(): string {
    return this.#text + this.children.map((child) => child.textContent).join("");
  }

  set textContent(text: string) {
    this.children.length = 0;
    this.#text = text;
  }

  /** Of a template. */
  get content() {
    return { firstElementChild: this.children[0] };
  }

  get classList() {
    return {
      toggle: (name: string, isOn: boolean) => {
        const others = this.className.split(" ").filter((one) => one !== name);
        this.className = [...others, ...(isOn ? [name] : [])].join(" ");
      },
    };
  }

  append(...children: readonly FakeElement[]): void {
    for (const child of children) {
      if (!(child instanceof FakeElement)) throw new Error(`appended ${String(child)}`);
      this.children.push(child);
    }
  }

  addEventListener(name: string, listener: Listener): void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  fire(name: string): void {
    for (const listener of this.listeners.get(name) ?? []) listener({ preventDefault: () => {} });
  }

  find(isIt: (element: FakeElement) => boolean): FakeElement | undefined {
    for (const child of this.children) {
      const found = isIt(child) ? child : child.find(isIt);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  all(): FakeElement[] {
    return this.children.flatMap((child) => [child, ...child.all()]);
  }

  querySelector(selector: string): FakeElement {
    const name = /^\.([a-z]+)$/.exec(selector)?.[1];
    const found = this.find((one) => name !== undefined && one.className.split(" ").includes(name));
    if (found === undefined) throw new Error(`nothing is ${selector}`);
    return found;
  }

  matches(selector: string): boolean {
    return this.className.split(" ").includes(selector.slice(1));
  }

  scrollIntoView(): void {}

  cloneNode(): FakeElement {
    const copy = new FakeElement(this.tag);
    Object.assign(copy, { className: this.className, id: this.id, hidden: this.hidden });
    copy.#text = this.#text;
    copy.append(...this.children.map((child) => child.cloneNode()));
    return copy;
  }
}

/** The elements of a page; attributes but class, id and hidden are passed over. */
export function parseHtml(html: string): FakeElement {
  const root = new FakeElement("document");
  const open = [root];
  for (const [, slash, name = "", attributes = "", text = ""] of html.matchAll(
    /<(\/?)([a-z0-9]+)([^>]*)>([^<]*)/g,
  )) {
    if (slash === "/") open.pop();
    else {
      const element = new FakeElement(name);
      element.className = /class="([^"]*)"/.exec(attributes)?.[1] ?? "";
      element.id = /id="([^"]*)"/.exec(attributes)?.[1] ?? "";
      element.hidden = /\shidden\b/.test(attributes);
      element.textContent = text.trim();
      open.at(-1)?.append(element);
      if (!VOID.test(name) && !attributes.endsWith("/")) open.push(element);
    }
  }
  return root;
}

/** Makes a page the one that scripts see, with its addresses on a server. */
export function openPage(root: FakeElement, base: string): void {
  const fetchHere = globalThis.fetch;
  Object.assign(globalThis, {
    document: {
      createElement: (name: string) => new FakeElement(name),
      getElementById: (id: string) => root.find((one) => one.id === id) ?? null,
    },
    location: { origin: base, hash: "" },
    addEventListener: () => undefined,
    Option: class extends FakeElement {
      constructor(value: string) {
        super("option");
        this.value = value;
      }
    },
    FormData: class extends Map<string, string> {
      constructor(form: FakeElement) {
        const fields = form.all().filter((one) => /^(input|select|textarea)$/.test(one.tag));
        super(fields.map((one) => [one.name, one.value]));
      }
    },
    fetch: (path: string, init?: RequestInit) => fetchHere(new URL(path, base), init),
  });
}
