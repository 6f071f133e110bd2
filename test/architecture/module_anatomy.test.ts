import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inRoot, moduleNames } from "./repository.ts";

/** What every module has (DESIGN section 4), and what it is for. */
const ANATOMY: Readonly<Record<string, string>> = {
  "README.md": "state keys, messages, events, params, errors with what to do",
  "module.ts": "the module as the app wires it",
  "keys.ts": "its name and state keys",
  "types.ts": "its domain types",
  "params.ts": "its params, their defaults and checks",
  "errors.ts": "its registered errors",
  "events.ts": "its events",
  "expected_keepers.ts": "what it needs of other modules",
  "keeper.ts": "the only writer of its state (or keeper_<noun>.ts, several)",
  "msg_server.ts": "its messages",
  "query_server.ts": "its queries",
  "genesis.ts": "its state from a genesis",
  "export.ts": "its state as a genesis",
  "invariants.ts": "what holds after every block",
  "full_invariants.ts": "what holds of the whole state",
  "autocli.ts": "the words of its commands",
};

/** Files of the anatomy that no module has yet. They move up when the first one comes. */
const LATER = ["simulation.ts"];

/** What a module does without, and why. */
const WITHOUT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  auth: {
    "types.ts": "its types are generated messages",
    "errors.ts": "all its refusals are the SDK's own (src/types/sdk_errors.ts)",
    "events.ts": "its two events are emitted where signatures are checked",
    "expected_keepers.ts": "it needs no other module",
    "msg_server.ts": "it has no messages",
    "invariants.ts": "nothing of it can go wrong within a block",
    "full_invariants.ts": "no invariant is about accounts",
  },
  bank: { "params.ts": "it has no params of its own" },
  settlement: { "types.ts": "its types are generated messages (records.ts stores them)" },
};

function filesOf(module: string): string[] {
  return readdirSync(inRoot("src/modules", module));
}

function has(files: readonly string[], name: string): boolean {
  if (name === "keeper.ts" && files.some((file) => /^keeper_[a-z_]+\.ts$/.test(file))) return true;
  return files.includes(name);
}

describe.each(moduleNames())("module %s", (module) => {
  const files = filesOf(module);
  const without = WITHOUT[module] ?? {};

  test("has the files of a module", () => {
    const missing = Object.entries(ANATOMY)
      .filter(([name]) => !has(files, name) && without[name] === undefined)
      .map(([name, what]) => `src/modules/${module}/${name} is missing: ${what}`);
    expect(missing).toEqual([]);
  });

  test("has no exception that it no longer needs", () => {
    const stale = Object.keys(without)
      .filter((name) => has(files, name))
      .map((name) => `src/modules/${module}/${name} exists: take it out of WITHOUT`);
    expect(stale).toEqual([]);
  });

  test("a file that some modules have is asked of all", () => {
    const come = LATER.filter((name) => files.includes(name)).map(
      (name) => `src/modules/${module}/${name} exists: move ${name} from LATER to ANATOMY`,
    );
    expect(come).toEqual([]);
  });
});
