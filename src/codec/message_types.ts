import { READERS } from "../gen/readers.ts";
import { CODECS, type MessageCodec } from "../gen/registry.ts";
import {
  ENUMS,
  type EnumSchema,
  type FieldSchema,
  MESSAGES,
  type MessageSchema,
  SERVICES,
} from "../gen/schema.ts";
import { must } from "../lib/assert.ts";
import { compareKeys, KeyMap } from "../lib/key_map.ts";
import type { ReadMessage } from "../lib/wire_reader.ts";

/** A protobuf message of the wire contract: its schema, its generated codec, and look-ups. */
export class MessageType {
  readonly schema: MessageSchema;
  readonly codec: MessageCodec;
  /** Reads what is plain without a check beforehand; not every message has one. */
  readonly read: ReadMessage<object> | undefined;
  /** Type URL of an Any that holds it. */
  readonly typeUrl: string;
  // Field numbers are small, but for the two option lists of TxBody.
  readonly #dense: (FieldSchema | undefined)[] = [];
  readonly #sparse: FieldSchema[] = [];
  readonly #byName = new KeyMap<FieldSchema>();
  #aminoFields: readonly FieldSchema[] | undefined;

  constructor(schema: MessageSchema, codec: MessageCodec, read: ReadMessage<object> | undefined) {
    this.schema = schema;
    this.codec = codec;
    this.read = read;
    this.typeUrl = `/${schema.name}`;
    for (const field of schema.fields) {
      if (field.no < 64) this.#dense[field.no] = field;
      else this.#sparse.push(field);
      this.#byName.set(field.key, field);
      this.#byName.set(field.name, field);
    }
  }

  get name(): string {
    return this.schema.name;
  }

  get fields(): readonly FieldSchema[] {
    return this.schema.fields;
  }

  /** Fields by the names that amino JSON shows, sorted by them. */
  get aminoFields(): readonly FieldSchema[] {
    this.#aminoFields ??= [...this.schema.fields].sort((a, b) =>
      compareKeys(aminoNameOf(a), aminoNameOf(b)),
    );
    return this.#aminoFields;
  }

  fieldOfNumber(no: number): FieldSchema | undefined {
    return no < 64 ? this.#dense[no] : this.#sparse.find((field) => field.no === no);
  }

  /** By proto name (snake_case) or by its lowerCamelCase form. */
  fieldOfName(name: string): FieldSchema | undefined {
    return this.#byName.get(name);
  }
}

/** The name that amino JSON shows for a field. */
export function aminoNameOf(field: FieldSchema): string {
  return field.aminoFieldName ?? field.name;
}

/** A protobuf enum: names and numbers. */
export class EnumType {
  readonly name: string;
  readonly #names = new KeyMap<string>();
  readonly #numbers = new KeyMap<number>();

  constructor(schema: EnumSchema) {
    this.name = schema.name;
    for (const value of schema.values) {
      // The first of several names of one number is the one that is printed.
      if (!this.#names.has(`${value.no}`)) this.#names.set(`${value.no}`, value.name);
      this.#numbers.set(value.name, value.no);
    }
  }

  nameOf(no: number): string | undefined {
    return this.#names.get(`${no}`);
  }

  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }
}

const messageTypes = new KeyMap<MessageType>();
// By type URL, and so without cutting the slash off each time.
const typesByUrl = new KeyMap<MessageType>();
const enumTypes = new KeyMap<EnumType>();
const txMessages = new KeyMap<MessageType>();
const publicKeys = new KeyMap<MessageType>();

function load(): void {
  const codecs = new KeyMap<MessageCodec>();
  for (const [name, codec] of CODECS) codecs.set(name, codec);
  const readers = new KeyMap<ReadMessage<object>>();
  for (const [name, read] of READERS) readers.set(name, read);
  for (const schema of MESSAGES) {
    const { name } = schema;
    const codec = must(codecs.get(name), `no codec: ${name}`);
    const type = new MessageType(schema, codec, readers.get(name));
    messageTypes.set(name, type);
    typesByUrl.set(type.typeUrl, type);
    const isKey = name.startsWith("cosmos.crypto.") && name.endsWith("PubKey");
    if (isKey) publicKeys.set(type.typeUrl, type);
  }
  for (const schema of ENUMS) enumTypes.set(schema.name, new EnumType(schema));
  for (const service of SERVICES) {
    if (service.isMsg !== true) continue;
    for (const { input } of service.methods) txMessages.set(`/${input}`, messageTypeNamed(input));
  }
}
load();

/** The message of a full name, or undefined. */
export function findMessageType(name: string): MessageType | undefined {
  return messageTypes.get(name);
}

/** The message of a full name that the program knows. @throws InvariantError */
export function messageTypeNamed(name: string): MessageType {
  return must(messageTypes.get(name), `no message type ${name}`);
}

/** The message of a type URL: a slash and the full name, nothing else. */
export function messageTypeOfUrl(typeUrl: string): MessageType | undefined {
  return typesByUrl.get(typeUrl);
}

/** The message of a type URL if a tx may carry it: the input of a Msg service. */
export function txMessageOfUrl(typeUrl: string): MessageType | undefined {
  return txMessages.get(typeUrl);
}

/** The message of a type URL if it is a public key. */
export function publicKeyOfUrl(typeUrl: string): MessageType | undefined {
  return publicKeys.get(typeUrl);
}

/** Type of the message or map value that a field holds. @throws InvariantError for a scalar. */
export function messageTypeOfField(field: FieldSchema): MessageType {
  return messageTypeNamed(must(field.typeName, `field ${field.name} holds no message`));
}

/** Type of the enum that a field holds. @throws InvariantError for another kind. */
export function enumTypeOfField(field: FieldSchema): EnumType {
  const name = must(field.typeName, `field ${field.name} holds no enum`);
  return must(enumTypes.get(name), `no enum type ${name}`);
}
