import { type HttpRule, type MethodSchema, SERVICES } from "../../gen/schema.ts";
import { type PathTemplate, parseTemplate } from "./path_template.ts";

/** A REST route: one rule of an annotated method. */
export interface Route {
  /** "cosmos.bank.v1beta1.Query/Balance" */
  readonly path: string;
  readonly method: MethodSchema;
  readonly rule: HttpRule;
  readonly template: PathTemplate;
}

export interface Match {
  readonly route: Route;
  /** Values of the variables by field, decoded. */
  readonly variables: ReadonlyMap<string, string>;
}

interface Branch {
  readonly literals: Map<string, Branch>;
  one: Branch | undefined;
  rest: Route | undefined;
  route: Route | undefined;
}

/** The routes of all methods that have an annotation. A literal wins over a variable, at each slash. */
export class RouteTable {
  readonly routes: readonly Route[];
  readonly #roots = new Map<string, Branch>();

  constructor(routes: readonly Route[] = annotatedRoutes()) {
    this.routes = routes;
    for (const route of routes) this.#add(route);
  }

  /**
   * @param verb of HTTP, "GET"
   * @param path from its slash to the question mark, as it was sent
   * @throws URIError for an escape that is none
   */
  match(verb: string, path: string): Match | undefined {
    const root = this.#roots.get(verb.toLowerCase());
    const parts = path.slice(1).split("/").map(decodeURIComponent);
    const route = root === undefined ? undefined : find(root, parts, 0);
    if (route === undefined) return undefined;
    const values = route.template.variables.map(
      ({ field, start, end }) => [field, parts.slice(start, end).join("/")] as const,
    );
    return { route, variables: new Map(values) };
  }

  #add(route: Route): void {
    const { verb } = route.rule;
    let branch = this.#roots.get(verb) ?? emptyBranch();
    this.#roots.set(verb, branch);
    for (const segment of route.template.segments) {
      if (segment.kind === "rest") {
        branch.rest ??= route;
        return;
      }
      branch = segment.kind === "one" ? oneOf(branch) : literalOf(branch, segment.text);
    }
    branch.route ??= route;
  }
}

function find(branch: Branch, parts: readonly string[], at: number): Route | undefined {
  const part = parts[at];
  if (part === undefined) return branch.route;
  const literal = branch.literals.get(part);
  const exact = literal === undefined ? undefined : find(literal, parts, at + 1);
  if (exact !== undefined) return exact;
  // A variable is never empty.
  if (part === "") return undefined;
  const one = branch.one === undefined ? undefined : find(branch.one, parts, at + 1);
  return one ?? branch.rest;
}

function emptyBranch(): Branch {
  return { literals: new Map(), one: undefined, rest: undefined, route: undefined };
}

function oneOf(branch: Branch): Branch {
  branch.one ??= emptyBranch();
  return branch.one;
}

function literalOf(branch: Branch, text: string): Branch {
  const found = branch.literals.get(text) ?? emptyBranch();
  branch.literals.set(text, found);
  return found;
}

function annotatedRoutes(): Route[] {
  return SERVICES.flatMap(({ name, methods }) =>
    methods.flatMap((method) =>
      (method.http ?? []).map((rule) => ({
        path: `${name}/${method.name}`,
        method,
        rule,
        template: parseTemplate(rule.path),
      })),
    ),
  );
}
