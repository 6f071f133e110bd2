import type { NodeView } from "../../node/view.ts";
import { unaryErrorOf } from "./unary_error_of.ts";
import type { UnaryMethod } from "./unary.ts";

/** A method that the app answers from the state of a height. */
export function queryMethod(view: NodeView, path: string): UnaryMethod {
  return {
    path,
    async handle(data, { height }) {
      const output = await view.query({ path: `/${path}`, data, height, prove: false });
      if (output.code !== 0) throw unaryErrorOf(output);
      return { value: output.value, height: output.height };
    },
  };
}
