// The OpenAPI 3.1 document of the REST routes, from the descriptors of proto/ alone.
import { getOption, ScalarType } from "@bufbuild/protobuf";

const VERBS = ["get", "put", "post", "delete", "patch"];
const ERROR = "Error";
const HEIGHT = "BlockHeight";
/** 64 bits of either sign; the format says which. */
const INTEGER = "^-?[0-9]{1,20}$";

/** The rules of a google.api.http annotation, the main one first. */
export function httpRules(http) {
  if (http === undefined) return [];
  const { pattern, body } = http;
  const own = VERBS.includes(pattern.case)
    ? [{ verb: pattern.case, path: pattern.value, ...(body === "" ? {} : { body }) }]
    : [];
  return [...own, ...http.additionalBindings.flatMap(httpRules)];
}

/**
 * @param registry of every file, with source info for the descriptions
 * @param version of the program
 */
export function openApiDocument(registry, version) {
  return new Writer(registry).document(version);
}

class Writer {
  #registry;
  #comments = new Map();
  #schemas = new Map();
  /** Messages that clients write: nothing of them is required. */
  #written = new Set();

  constructor(registry) {
    this.#registry = registry;
    for (const { proto } of registry.files) {
      for (const { path, leadingComments, trailingComments } of proto.sourceCodeInfo?.location ??
        []) {
        const text = `${leadingComments ?? ""}\n${trailingComments ?? ""}`.trim();
        if (text !== "") this.#comments.set(`${proto.name}:${path.join(".")}`, tidy(text));
      }
    }
  }

  document(version) {
    const services = [...this.#registry.files]
      .flatMap((file) => file.services)
      .filter((service) => service.methods.some((method) => this.#rules(method).length > 0))
      .sort((a, b) => (a.typeName < b.typeName ? -1 : 1));
    for (const method of services.flatMap((service) => service.methods)) {
      if (this.#rules(method).some(({ body }) => body !== undefined)) this.#mark(method.input);
    }
    const paths = {};
    for (const service of services) {
      for (const method of service.methods) this.#addMethod(paths, service, method);
    }
    const sorted = [...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      openapi: "3.1.0",
      info: {
        title: "Settled REST API",
        version,
        description:
          "Every query of the chain, and txs. Fields are snake_case, 64-bit integers are text, bytes are base64, enums are names, decimals have 18 places.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "http://127.0.0.1:1317", description: "a node on this machine" }],
      tags: services.map((service) => this.#tag(service)),
      paths,
      components: {
        schemas: { [ERROR]: errorSchema(), ...Object.fromEntries(sorted) },
        parameters: { [HEIGHT]: heightParameter() },
        headers: { [HEIGHT]: heightHeader() },
        responses: { [ERROR]: errorResponse() },
      },
    };
  }

  #tag(service) {
    const description = this.#comment(service.file, [6, indexOf(service)]);
    return { name: service.file.proto.package, ...described(description) };
  }

  #rules(method) {
    const extension = this.#registry.getExtension("google.api.http");
    if (extension === undefined || method.proto.options === undefined) return [];
    return httpRules(getOption(method, extension));
  }

  /** Notes a message that is part of a body, with its parts. */
  #mark(message) {
    if (this.#written.has(message.typeName)) return;
    this.#written.add(message.typeName);
    for (const field of message.fields) if (field.message !== undefined) this.#mark(field.message);
  }

  #addMethod(paths, service, method) {
    this.#rules(method).forEach(({ verb, path, body }, index) => {
      const { shown, variables } = templateOf(path);
      const tail = index === 0 ? "" : `_${index + 1}`;
      const id = `${service.typeName.replaceAll(".", "_")}_${method.name}${tail}`;
      const place = [6, indexOf(service), 2, service.methods.indexOf(method)];
      const operation = {
        operationId: id,
        tags: [service.file.proto.package],
        summary: words(method.name),
        ...described(this.#comment(service.file, place)),
        parameters: [
          ...variables.map((variable) => this.#pathParameter(method.input, variable)),
          ...(body === "*" ? [] : this.#queryParameters(method.input, [...variables, body])),
          ...(verb === "get" ? [{ $ref: `#/components/parameters/${HEIGHT}` }] : []),
        ],
        ...(body === undefined ? {} : { requestBody: this.#body(method.input, body) }),
        responses: {
          200: {
            description: "the answer",
            headers: { "x-cosmos-block-height": { $ref: `#/components/headers/${HEIGHT}` } },
            content: { "application/json": { schema: this.#reference(method.output) } },
          },
          default: { $ref: `#/components/responses/${ERROR}` },
        },
      };
      paths[shown] = { ...paths[shown], [verb]: operation };
    });
  }

  #pathParameter(message, variable) {
    const field = fieldAt(message, variable.name);
    const open = variable.pattern === "**" ? "May contain slashes." : undefined;
    const text = [this.#fieldComment(field), open].filter((part) => part !== undefined).join(" ");
    return {
      name: variable.name,
      in: "path",
      required: true,
      ...described(text === "" ? undefined : text),
      schema: this.#parameterSchema(field),
    };
  }

  /** Every field that an address can carry, those of messages within by their path. */
  #queryParameters(message, taken) {
    const names = taken.map((one) => one?.name ?? one);
    const found = [];
    const visit = (type, prefix, above) => {
      for (const field of type.fields) {
        const name = `${prefix}${field.name}`;
        if (names.includes(name) || field.fieldKind === "map") continue;
        if (field.message === undefined || isText(field.message)) found.push({ name, field });
        else if (field.fieldKind !== "list" && !above.includes(field.message)) {
          visit(field.message, `${name}.`, [...above, field.message]);
        }
      }
    };
    visit(message, "", [message]);
    return found.map(({ name, field }) => ({
      name,
      in: "query",
      ...described(this.#fieldComment(field)),
      ...(isDeprecated(field) ? { deprecated: true } : {}),
      schema:
        field.fieldKind === "list"
          ? { type: "array", items: this.#parameterSchema(field) }
          : this.#parameterSchema(field),
    }));
  }

  #parameterSchema(field) {
    if (field.message !== undefined) return textSchema(field.message);
    if (field.enum !== undefined) return enumSchema(field.enum);
    // What is empty in an answer is null; in an address it is left out.
    if (field.scalar === ScalarType.BYTES) return { type: "string", contentEncoding: "base64" };
    return this.#scalarSchema(field);
  }

  #body(message, body) {
    const type = body === "*" ? message : fieldAt(message, body).message;
    return { required: true, content: { "application/json": { schema: this.#reference(type) } } };
  }

  #reference(message) {
    const { typeName } = message;
    if (!this.#schemas.has(typeName)) {
      this.#schemas.set(typeName, undefined);
      this.#schemas.set(typeName, this.#messageSchema(message));
    }
    return { $ref: `#/components/schemas/${typeName}` };
  }

  #messageSchema(message) {
    const comment = this.#comment(message.file, placeOf(message));
    const { fields } = message;
    const always = fields
      .filter((field) => field.oneof === undefined && field.proto.proto3Optional !== true)
      .map(({ name }) => name);
    const isWritten = this.#written.has(message.typeName);
    return {
      type: "object",
      ...described(comment),
      properties: Object.fromEntries(fields.map((field) => [field.name, this.#property(field)])),
      ...(isWritten || always.length === 0 ? {} : { required: always }),
    };
  }

  #property(field) {
    const description = this.#fieldComment(field);
    const deprecated = isDeprecated(field) ? { deprecated: true } : {};
    return { ...this.#fieldSchema(field), ...described(description), ...deprecated };
  }

  #fieldSchema(field) {
    if (field.fieldKind === "list") return { type: "array", items: this.#valueSchema(field) };
    if (field.fieldKind === "map") {
      return { type: "object", additionalProperties: this.#valueSchema(field) };
    }
    if (field.message === undefined) return this.#valueSchema(field);
    // A message that is not set is null.
    return { anyOf: [this.#valueSchema(field), { type: "null" }] };
  }

  #valueSchema(field) {
    const { message } = field;
    if (message?.typeName === "google.protobuf.Any") return this.#anySchema();
    if (message !== undefined)
      return isText(message) ? textSchema(message) : this.#reference(message);
    if (field.enum !== undefined) return enumSchema(field.enum);
    return this.#scalarSchema(field);
  }

  #anySchema() {
    const name = "google.protobuf.Any";
    this.#schemas.set(name, {
      type: "object",
      description: "A message of a type that it names, with the fields of that type beside it.",
      properties: { "@type": { type: "string", examples: ["/cosmos.bank.v1beta1.MsgSend"] } },
      required: ["@type"],
      additionalProperties: true,
    });
    return { $ref: `#/components/schemas/${name}` };
  }

  #scalarSchema(field) {
    switch (field.scalar) {
      case ScalarType.STRING:
        return this.#isDec(field)
          ? {
              type: "string",
              description: "A decimal with 18 places.",
              examples: ["0.025000000000000000"],
            }
          : { type: "string" };
      case ScalarType.BOOL:
        return { type: "boolean" };
      case ScalarType.BYTES:
        return { type: ["string", "null"], contentEncoding: "base64" };
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return { type: "string", format: "int64", pattern: INTEGER };
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return { type: "string", format: "uint64", pattern: INTEGER.replace("-?", "") };
      case ScalarType.DOUBLE:
      case ScalarType.FLOAT:
        return { type: "number" };
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return { type: "integer", minimum: 0, maximum: 4_294_967_295 };
      default:
        return { type: "integer", format: "int32" };
    }
  }

  #isDec(field) {
    const extension = this.#registry.getExtension("cosmos_proto.scalar");
    if (extension === undefined || field.proto.options === undefined) return false;
    return getOption(field, extension) === "cosmos.Dec";
  }

  #fieldComment(field) {
    const place = [...placeOf(field.parent), 2, field.parent.proto.field.indexOf(field.proto)];
    return this.#comment(field.parent.file, place);
  }

  #comment(file, place) {
    return this.#comments.get(`${file.proto.name}:${place.join(".")}`);
  }
}

function described(description) {
  return description === undefined ? {} : { description };
}

function tidy(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .join("\n")
    .replace(/(?<!\n)\n(?!\n)/g, " ")
    .trim();
}

/** "UsageByNaturalKey" → "Usage by natural key" */
function words(name) {
  const spaced = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  const lower = spaced
    .split(" ")
    .map((word) => (/^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase()));
  return lower.join(" ").replace(/^./, (first) => first.toUpperCase());
}

function isDeprecated({ proto }) {
  return proto.options?.deprecated === true;
}

function indexOf(service) {
  return service.file.services.indexOf(service);
}

/** Where a message stands in its file, as source info counts. */
function placeOf(message) {
  const { parent } = message;
  if (parent === undefined) return [4, message.file.proto.messageType.indexOf(message.proto)];
  return [...placeOf(parent), 3, parent.proto.nestedType.indexOf(message.proto)];
}

/** Path templates as OpenAPI writes them: what a variable matches is taken out. */
function templateOf(path) {
  const variables = [...path.matchAll(/\{([a-z0-9_.]+)(?:=([^}]*))?\}/g)].map(
    ([, name, pattern]) => ({ name, pattern: pattern ?? "*" }),
  );
  return { shown: path.replaceAll(/=[^}]*\}/g, "}"), variables };
}

function fieldAt(message, path) {
  const [first, ...rest] = path.split(".");
  const field = message.fields.find(({ name }) => name === first);
  if (field === undefined) throw new Error(`${message.typeName} has no field ${first}`);
  return rest.length === 0 ? field : fieldAt(field.message, rest.join("."));
}

/** Whether JSON shows a message as text. */
function isText(message) {
  return /^google\.protobuf\.(Timestamp|Duration)$/.test(message.typeName);
}

function textSchema(message) {
  if (message.typeName === "google.protobuf.Timestamp")
    return { type: "string", format: "date-time" };
  return { type: "string", pattern: "^-?[0-9]+(\\.[0-9]+)?s$", examples: ["1.5s"] };
}

/** The first name means that none was chosen, in most enums: the example is the first after it. */
function enumSchema(desc) {
  const names = desc.values.map(({ name }) => name);
  const usual = desc.values.find(({ number, deprecated }) => number !== 0 && !deprecated);
  return {
    type: "string",
    enum: names,
    ...(usual === undefined ? {} : { examples: [usual.name] }),
  };
}

function errorSchema() {
  return {
    type: "object",
    description: "Why there is no answer.",
    properties: {
      code: { type: "integer", minimum: 1, maximum: 16, description: "gRPC status." },
      message: { type: "string" },
      details: { type: "array", items: { type: "object" } },
    },
    required: ["code", "message", "details"],
  };
}

function errorResponse() {
  const schema = { $ref: `#/components/schemas/${ERROR}` };
  const description =
    "no answer: 400 a request that cannot be answered, 404 nothing there, 429 too much, 500 a fault of the node, 501 not offered, 503 not now, 504 too late";
  return { description, content: { "application/json": { schema } } };
}

function heightParameter() {
  return {
    name: "x-cosmos-block-height",
    in: "header",
    description: "The height to answer at; the latest without it.",
    schema: { type: "string", pattern: "^[0-9]{1,19}$" },
  };
}

function heightHeader() {
  return { description: "The height of the answer.", schema: { type: "string", format: "int64" } };
}
