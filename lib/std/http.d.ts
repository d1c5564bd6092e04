// Types of the part of @std/http that is used here; the sources are the standard library's own.

/** The first of `types` that the request's `Accept` header prefers; all of them in order where none are named. */
export function accepts(request: Pick<Request, "headers">): string[];
export function accepts(request: Pick<Request, "headers">, ...types: string[]): string | undefined;

export interface ParsedServerSentEventMessage {
  comment?: string;
  event?: string;
  data?: string;
  id?: string | number;
  retry?: number;
}

export class ServerSentEventParseStream extends TransformStream<string, ParsedServerSentEventMessage> {}
