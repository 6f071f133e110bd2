import {
  ENUMS,
  type EnumSchema,
  type FieldSchema,
  type MethodSchema,
  SERVICES,
} from "../gen/schema.ts";
import { must } from "../lib/assert.ts";

/** An enum by its full name. */
export function enumSchema(name: string): EnumSchema {
  const found = ENUMS.find((each) => each.name === name);
  return must(found, `no enum ${name} in the schema`);
}

/** A method that has a command. */
export interface ServiceMethod {
  readonly service: string;
  readonly method: MethodSchema;
}

/** The Msg or Query methods of every module, by the module's word ("bank"), in schema order. */
export function methodsByModule(kind: "Msg" | "Query"): ReadonlyMap<string, ServiceMethod[]> {
  const modules = new Map<string, ServiceMethod[]>();
  for (const service of SERVICES) {
    if (!service.name.endsWith(`.${kind}`)) continue;
    const word = moduleWord(service.name);
    const list = modules.get(word) ?? [];
    list.push(...service.methods.map((method) => ({ service: service.name, method })));
    modules.set(word, list);
  }
  return modules;
}

/** "cosmos.bank.v1beta1.Msg" → "bank". */
function moduleWord(service: string): string {
  const parts = service.split(".").slice(0, -1);
  return must(parts.filter((part) => !/^v[0-9]/.test(part)).at(-1), `no module in ${service}`);
}

/** "CreateEscrow" → "create-escrow", "order_id" → "order-id". */
export function kebab(name: string): string {
  return name
    .replaceAll("_", "-")
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();
}

/** Fields in the path of a REST route, in order. */
export function pathFields(template: string | undefined): string[] {
  return [...(template ?? "").matchAll(/\{([a-z0-9_]+)(?:=[^}]*)?\}/g)].map(
    (match) => match[1] ?? "",
  );
}

const ADDRESS_WORDS =
  /^(address|account|sender|provider|customer|depositor|recipient|debtor|creditor)$/;

/** Whether a field holds an address: by its annotation, or by the words that modules use. */
export function isAddressField(field: FieldSchema): boolean {
  if (field.kind !== "string") return false;
  if (field.scalar === "cosmos.AddressString") return true;
  return ADDRESS_WORDS.test(field.name);
}
