// The layer table of docs/ARCHITECTURE.md: one line per row, what a folder may import besides itself.
const all = ["lib", "types", "gen", "codec", "store", "baseapp", "modules"];
const layers = {
  lib: [],
  types: ["lib"],
  gen: ["lib"],
  codec: ["lib", "types", "gen"],
  store: ["lib", "types"],
  baseapp: ["lib", "types", "codec", "store"],
  modules: ["lib", "types", "gen", "codec", "store", "baseapp"],
  app: all,
  node: ["lib", "types", "codec", "store", "app"],
  api: ["lib", "types", "codec", "gen", "node"],
  client: ["lib", "types", "gen", "codec"],
  provider: ["lib", "types", "codec", "client"],
  torture: ["lib", "types", "codec", "client", "provider"],
  explorer: ["client"],
  sim: ["lib", "types", "codec", "app", "node", "client"],
  testing: ["app", "node", "client"],
  cli: ["[^/]+"],
};
const ours = "^(src|test|bench|scripts|examples|docs|proto)/";
const under = (folders) => `^src/(${folders.join("|")})/`;
const core = under([...all, "app"]);

// Strata of the core. Readers may await; wiring builds readers and is imported by no machine file;
// every other file of the core is machine.
const readers = [
  "^src/modules/[^/]+/(query_[a-z]+|export|full_invariants[a-z_]*)\\.ts$",
  "^src/store/(reader|late_snapshot|history|load|prune|rollback|checkpoint|snapshot|leveldb|branch_db)\\.ts$",
];
const wiring = ["^src/app/", "^src/modules/[^/]+/module\\.ts$"];
// Files that nobody imports, because a person, a thread or a browser starts them.
const entries = [
  "(^|/)main\\.ts$",
  "\\.worker\\.ts$",
  "^src/testing/[^/]+$",
  "^src/explorer/page\\.ts$",
  "^src/api/rest/page/",
  "\\.d\\.ts$",
];

const npm = (...names) => `^(node_modules/)?(${names.join("|")})(/|$)`;
const noble = npm("@noble/[^/]+");
const protobuf = npm("@bufbuild/protobuf");
const level = npm("classic-level", "memory-level", "abstract-level");
const leveldb = "^src/store/leveldb\\.ts$";

const rule = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });
// Whatever is not ours is npm, a Node built-in or unresolved: all of it needs to be on the list.
const packages = (name, from, ...allowed) =>
  rule(name, "npm allow-list of the core; native code is injected", from, {
    pathNot: [ours, ...allowed],
  });

module.exports = {
  forbidden: [
    ...Object.entries(layers).map(([folder, mayUse]) =>
      rule(
        `layer-${folder}`,
        `src/${folder} may import: ${mayUse.join(" ") || "nothing of ours"}`,
        { path: under([folder]) },
        { path: ours, pathNot: under([folder, ...mayUse]) },
      ),
    ),
    rule(
      "unknown-folder",
      "every folder of src has a row in the layer table",
      { path: "^src/", pathNot: under(Object.keys(layers)) },
      {},
    ),
    rule(
      "machine-imports-no-reader",
      "what runs inside a block never imports what may await",
      { path: core, pathNot: [...readers, ...wiring] },
      { path: readers },
    ),
    rule(
      "machine-imports-no-wiring",
      "module.ts builds readers: only src/app imports it",
      { path: "^src/modules/" },
      { path: "^src/modules/[^/]+/module\\.ts$" },
    ),
    rule(
      "modules-meet-in-expected-keepers",
      "another module only through expected_keepers.ts",
      { path: "^src/modules/([^/]+)/", pathNot: "/expected_keepers\\.ts$" },
      { path: "^src/modules/[^/]+/", pathNot: "^src/modules/$1/" },
    ),
    rule(
      "expected-keepers-are-types",
      "expected_keepers.ts declares interfaces: import type only",
      { path: "^src/modules/([^/]+)/expected_keepers\\.ts$" },
      {
        path: "^src/modules/[^/]+/",
        pathNot: "^src/modules/$1/",
        dependencyTypesNot: ["type-only"],
      },
    ),
    packages("npm-core", { path: core, pathNot: [under(["gen", "codec"]), leveldb] }, noble),
    packages("npm-gen-codec", { path: under(["gen", "codec"]) }, noble, protobuf),
    packages("npm-leveldb", { path: leveldb }, noble, level),
    rule(
      "npm-prom-client",
      "whoever counts is told through src/node/metrics.ts; the daemon has a page of its own",
      { path: "^src/", pathNot: "^src/(api/metrics/|provider/daemon/metrics\\.ts$)" },
      { path: npm("prom-client") },
    ),
    rule("no-circular", "type-only cycles count", {}, { circular: true }),
    rule(
      "no-orphans",
      "neither imports nor is imported",
      { orphan: true, path: "^src/", pathNot: [...entries, "^src/gen/"] },
      {},
    ),
    {
      name: "no-unused-file",
      comment: "nobody imports it",
      severity: "error",
      from: {},
      module: { path: "^src/", pathNot: [...entries, "^src/gen/"], numberOfDependentsLessThan: 1 },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".d.ts", ".json"],
    },
  },
};
