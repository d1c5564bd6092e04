/**
 * JSON arrays that may have a million elements, as `/listChunks` and `/listCategories` answer.
 *
 * A short one is one text. A long one is made and sent in slices, each when the one before was taken: others have their
 * turn in between, what a client does not take is not made, and there is never a text of all of it, which would be
 * garbage of 60 MB for a million chunks. The elements are those of the moment of the request.
 *
 * @module
 */
import { LIST_SLICE_ELEMENTS } from "../protocol/limits.ts";
import type { OpenStreams } from "./open_streams.ts";

const JSON_TYPE = { "content-type": "application/json" };
const ENCODER = new TextEncoder();

/** What a list is made of. */
export interface JsonList<T> {
  /** What is listed, for errors. */
  readonly what: string;
  /** Must not change afterwards. */
  readonly elements: readonly T[];
  /** The JSON of one of them. */
  readonly toJson: (element: T) => string;
}

/** Answers with a list. Throws `overloaded` where no more long answers can be sent. */
export function jsonList<T>(streams: OpenStreams, { what, elements, toJson }: JsonList<T>): Response {
  if (elements.length <= LIST_SLICE_ELEMENTS) {
    return new Response(`[${elements.map(toJson).join()}]`, { headers: JSON_TYPE });
  }
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const slice = elements.slice(at, at + LIST_SLICE_ELEMENTS);
      const begin = at === 0 ? "[" : ",";
      at += slice.length;
      const end = at >= elements.length;
      controller.enqueue(ENCODER.encode(`${begin}${slice.map(toJson).join()}${end ? "]" : ""}`));
      if (end) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(streams.open(what, body), { headers: JSON_TYPE });
}
