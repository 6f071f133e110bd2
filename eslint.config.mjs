import { builtinModules } from "node:module";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

// The deterministic core: everything that can influence the app hash. Globs match
// paths from the repository root.
const core = ["src/{lib,types,codec,store,baseapp,modules,app}/**/*.ts"];
// Reader files may await; every other file of the core is a machine file.
const moduleReaders = ["src/{modules/*,app}/{query_*,export,full_invariants*}.ts"];
const storeReaders = [
  "src/store/{reader,late_snapshot,history,load,prune,rollback,checkpoint,snapshot,leveldb,branch_db}.ts",
];
const collections = ["src/lib/{ordered,key_map}.ts"];

const notAFunctionOfState = "Not in the core: not a function of (state, block).";
const bannedGlobals = [
  ...["Date", "Math", "performance", "process", "fetch", "crypto", "Intl", "parseFloat", "console"],
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"],
  ...["clearTimeout", "clearInterval", "clearImmediate", "WeakRef", "FinalizationRegistry"],
].map((name) => ({ name, message: notAFunctionOfState }));

const builtins = builtinModules.filter((name) => !name.startsWith("node:")).join("|");
const noNode = {
  regex: `^(node:|(${builtins})(/|$))`,
  message: "No Node API in the core: declare an interface in src/types, inject it from src/node.",
};
const noJs = {
  regex: "^\\.\\.?/.*\\.[cm]?js$",
  message: "Source imports end in .ts; tsc rewrites them.",
};
const imports = (...more) => ({
  "no-restricted-imports": ["error", { patterns: [noJs, ...more] }],
});

const ban = (selector, message) => ({ selector, message });
const errorClass =
  "/^(Error|EvalError|RangeError|ReferenceError|SyntaxError|TypeError|URIError|AggregateError)$/";

const always = [
  ban("Literal[raw=/^[0-9_]*\\.|^[0-9][0-9_.]*[eE]/]", "No floating point: bigint, or bps."),
  ban(
    "MemberExpression[object.name='Number'][property.name=/^(parseFloat|EPSILON|NaN|.*_INFINITY)$/]",
    "No floating point: bigint, or bps.",
  ),
  ban(
    "CallExpression[callee.property.name=/^(sort|toSorted)$/][arguments.length=0]",
    "The default order is UTF-16: pass a comparator.",
  ),
  ban(
    "MemberExpression[property.name=/^(localeCompare$|toLocale)/]",
    "Depends on the locale: compare bytes.",
  ),
  ban("ForInStatement", "The order of for-in is not canonical: sort the keys first."),
  ban(
    `ThrowStatement > :matches(NewExpression, CallExpression)[callee.name=${errorClass}]`,
    "Throw a registered error (errors.ts): codespace, code, what to do.",
  ),
  ban("ImportExpression", "No dynamic import in the core: the graph is static."),
];
const divisions = [
  ban(
    "BinaryExpression[operator='/'], AssignmentExpression[operator='/=']",
    "Say how it rounds: the named divisions of src/lib/int.ts.",
  ),
  ban(
    ":matches(CallExpression, NewExpression)[callee.name='Number'], CallExpression > Identifier.arguments[name='Number']",
    "Narrowing loses precision in silence: the checked conversion of src/lib/int.ts.",
  ),
];
const maps = [
  ban(
    "NewExpression[callee.name=/^(Weak)?(Map|Set)$/], ClassDeclaration[superClass.name=/^(Map|Set)$/]",
    "Order of insertion reaches state: use src/lib/ordered.ts or key_map.ts.",
  ),
];
const stringify = [
  ban(
    "MemberExpression[object.name='JSON'][property.name='stringify'], MemberExpression[object.name='JSON'][property.value='stringify'], VariableDeclarator[init.name='JSON']",
    "Not a canonical encoding: src/codec/canonical_json.ts.",
  ),
];
const suspension = [
  ban(
    ":function[async=true], AwaitExpression, ForOfStatement[await=true], VariableDeclaration[kind='await using']",
    "The machine runs to completion: only reader files await.",
  ),
  ban(
    "NewExpression[callee.name='Promise'], MemberExpression[object.name='Promise'], CallExpression[callee.property.name='then']",
    "The machine runs to completion: only reader files use promises.",
  ),
];

// Two blocks of one rule do not merge: the last that matches a file replaces the others. So every
// block below builds the whole list, less what its files may do.
const restrict = (may = {}) => ({
  "no-restricted-syntax": [
    "error",
    ...always,
    ...(may.divide ? [] : divisions),
    ...(may.map ? [] : maps),
    ...(may.stringify ? [] : stringify),
    ...(may.await ? [] : suspension),
  ],
});
const codeLines = (max) => ["error", { max, skipBlankLines: true, skipComments: true }];

export default defineConfig(
  { ignores: ["src/gen/**", "dist/**"] },
  {
    files: ["src/**/*.ts"],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-explicit-any": "error",
      ...imports(),
      "max-lines": codeLines(500),
      "max-lines-per-function": codeLines(70),
    },
  },
  {
    files: core,
    rules: {
      "no-restricted-globals": ["error", { globals: bannedGlobals, checkGlobalObject: true }],
      ...imports(noNode),
      ...restrict(),
    },
  },
  { files: ["src/store/**/*.ts"], rules: restrict({ map: true }) },
  { files: collections, rules: restrict({ map: true }) },
  { files: ["src/lib/int.ts"], rules: restrict({ divide: true }) },
  { files: ["src/codec/canonical_json.ts"], rules: restrict({ stringify: true }) },
  { files: moduleReaders, rules: restrict({ await: true }) },
  { files: storeReaders, rules: restrict({ await: true, map: true }) },
);
