import { must } from "../../src/lib/assert.ts";

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name?: string; readonly in?: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: any;
}

export async function get(
  base: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return read(await fetch(base + path, { headers }));
}

export async function post(base: string, path: string, body: unknown): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return read(await fetch(base + path, { method: "POST", headers, body: text }));
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: JSON.parse(text) };
}

/** Values that answers have shown, by the names of their fields. */
export class Seen {
  readonly #values = new Map<string, Set<string>>();

  add(json: unknown): void {
    if (Array.isArray(json)) for (const item of json) this.add(item);
    else if (typeof json === "object" && json !== null) {
      for (const [name, value] of Object.entries(json)) {
        if (typeof value === "string" && value !== "") this.note(name, value);
        else this.add(value);
      }
    }
  }

  note(name: string, value: string): void {
    const values = this.#values.get(name) ?? new Set();
    this.#values.set(name, values.add(value));
  }

  /** Every path that a template gives with the values of its variable. */
  paths(template: string): string[] {
    const name = /\{([^}]+)\}/.exec(template)?.[1];
    if (name === undefined) return [template];
    return [...(this.#values.get(name) ?? [])].flatMap((value) =>
      this.paths(template.replace(`{${name}}`, encodeURIComponent(value))),
    );
  }

  first(name: string): string {
    const [value] = this.#values.get(name) ?? [];
    return must(value, `no answer had ${name}`);
  }
}
