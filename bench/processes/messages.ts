import type { Sample } from "../harness/figure.ts";

/** What a child process tells the one that started it. */
export type ChildMessage =
  | { readonly type: "sample"; readonly name: string; readonly sample: Sample }
  | { readonly type: "skip"; readonly name: string; readonly why: string }
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "ready"; readonly url: string }
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "failed"; readonly why: string };
