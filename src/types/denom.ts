/** A unit name by the rule of the Cosmos SDK: a letter, then 2 to 127 of letters, digits, /:._- */
export type Denom = string & { readonly __denom: unique symbol };

const DENOM = /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/;

export function isDenom(text: string): text is Denom {
  return DENOM.test(text);
}
