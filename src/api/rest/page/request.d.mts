/** An OpenAPI document; the page trusts the server that it comes from. */
export type OpenApi = any;

export interface PageOperation {
  readonly verb: string;
  readonly path: string;
  readonly operation: any;
}

export interface PageRequest {
  readonly verb: string;
  /** Path and query. */
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface FormValues {
  /** Text by name of the parameter. */
  readonly values?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly height?: string;
}

export function operationsByTag(openApi: OpenApi): readonly {
  readonly tag: string;
  readonly text: string;
  readonly operations: readonly PageOperation[];
}[];
export function isFound(one: PageOperation, search: string): boolean;
export function fieldsOf(openApi: OpenApi, one: PageOperation): readonly any[];
export function requestOf(openApi: OpenApi, one: PageOperation, form?: FormValues): PageRequest;
export function curlOf(origin: string, request: PageRequest): string;
export function bodyExample(openApi: OpenApi, one: PageOperation): string | undefined;
export function answerShape(openApi: OpenApi, one: PageOperation): string;
export function typeName(openApi: OpenApi, schema: any): string;
