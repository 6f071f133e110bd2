import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { FILE_DESCRIPTOR_SET } from "../../gen/file_descriptor_set.ts";

interface DescribedFile {
  /** The encoded FileDescriptorProto, as it was compiled. */
  readonly bytes: Uint8Array;
  readonly imports: readonly string[];
}

/** The files of the contract, and where each symbol of them is declared. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescribedFile>();
  readonly #fileOfSymbol = new Map<string, string>();
  // By the full name of the extended message, then by number.
  readonly #extensions = new Map<string, Map<number, string>>();

  constructor(fileDescriptorSet: Uint8Array) {
    for (const bytes of filesOf(fileDescriptorSet)) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      this.#files.set(file.name, { bytes, imports: file.dependency });
      this.#addFile(file);
    }
  }

  /** The file and all that it needs, each once, the file first; undefined for an unknown name. */
  filesFrom(name: string): Uint8Array[] | undefined {
    if (!this.#files.has(name)) return undefined;
    const names = new Set([name]);
    const found: Uint8Array[] = [];
    // A set takes what is added while it is walked.
    for (const each of names) {
      const file = this.#files.get(each);
      if (file === undefined) continue;
      found.push(file.bytes);
      for (const imported of file.imports) names.add(imported);
    }
    return found;
  }

  /** Name of the file that declares a service, method, message, field, enum or extension. */
  fileOf(symbol: string): string | undefined {
    return this.#fileOfSymbol.get(symbol);
  }

  fileOfExtension(message: string, number: number): string | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** Ascending; undefined for a message that there is not. */
  extensionNumbers(message: string): number[] | undefined {
    if (!this.#fileOfSymbol.has(message)) return undefined;
    const numbers = [...(this.#extensions.get(message)?.keys() ?? [])];
    return numbers.sort((a, b) => a - b);
  }

  #addFile(file: FileDescriptorProto): void {
    const scope = file.package === "" ? "" : `${file.package}.`;
    const add = (symbol: string) => this.#fileOfSymbol.set(symbol, file.name);
    for (const message of file.messageType) this.#addMessage(file, scope, message);
    for (const each of file.enumType) addEnum(add, scope, each);
    for (const extension of file.extension) this.#addExtension(file, scope, extension);
    for (const service of file.service) {
      add(`${scope}${service.name}`);
      for (const { name } of service.method) add(`${scope}${service.name}.${name}`);
    }
  }

  #addMessage(file: FileDescriptorProto, outer: string, message: DescriptorProto): void {
    const add = (symbol: string) => this.#fileOfSymbol.set(symbol, file.name);
    const scope = `${outer}${message.name}.`;
    add(`${outer}${message.name}`);
    for (const { name } of [...message.field, ...message.oneofDecl]) add(`${scope}${name}`);
    for (const nested of message.nestedType) this.#addMessage(file, scope, nested);
    for (const each of message.enumType) addEnum(add, scope, each);
    for (const extension of message.extension) this.#addExtension(file, scope, extension);
  }

  #addExtension(file: FileDescriptorProto, scope: string, field: FieldDescriptorProto): void {
    this.#fileOfSymbol.set(`${scope}${field.name}`, file.name);
    const extended = field.extendee.replace(/^\./, "");
    const numbers = this.#extensions.get(extended) ?? new Map<number, string>();
    numbers.set(field.number, file.name);
    this.#extensions.set(extended, numbers);
  }
}

/** The values of an enum are its siblings, as in C++. */
function addEnum(add: (symbol: string) => void, scope: string, desc: EnumDescriptorProto): void {
  add(`${scope}${desc.name}`);
  for (const { name } of desc.value) add(`${scope}${name}`);
}

let contract: DescriptorIndex | undefined;

/** The index of the contract of this program; made when it is first asked for. */
export function contractIndex(): DescriptorIndex {
  contract ??= new DescriptorIndex(Buffer.from(FILE_DESCRIPTOR_SET, "base64"));
  return contract;
}

/** The encoded files of a FileDescriptorSet, whose only field they are. */
function filesOf(set: Uint8Array): Uint8Array[] {
  const reader = new BinaryReader(set);
  const files: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) files.push(reader.bytes());
    else reader.skip(wire, field);
  }
  return files;
}
