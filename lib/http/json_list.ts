/**
 * JSON arrays that may have a million elements, as `/listChunks` and `/listCategories` answer.
 *
 * A short one is one text. A long one is made and sent in slices, each when the one before was taken: others have their
 * turn in between, what a client does not take is not made, and there is never a text of all of it, which would be
 * garbage of 60 MB for a million chunks. The elements are those of the moment of the request.
 *
 * What rarely changes is made once, where its slices are kept: of 100,000 names, most of the time is waiting for memory.
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
  /** Slices that were made of the same elements before; those that are made now are added. */
  readonly slices?: Uint8Array<ArrayBuffer>[];
}

/** Answers with a list. Throws `overloaded` where no more long answers can be sent. */
export function jsonList<T>(
  streams: OpenStreams,
  { what, elements, toJson, slices }: JsonList<T>,
): Response {
  if (elements.length <= LIST_SLICE_ELEMENTS) {
    return new Response(`[${elements.map(toJson).join()}]`, { headers: JSON_TYPE });
  }
  const count = Math.ceil(elements.length / LIST_SLICE_ELEMENTS);
  const make = (number: number): Uint8Array<ArrayBuffer> => {
    const at = number * LIST_SLICE_ELEMENTS;
    const texts = elements.slice(at, at + LIST_SLICE_ELEMENTS).map(toJson);
    return ENCODER.encode(`${number === 0 ? "[" : ","}${texts.join()}${number === count - 1 ? "]" : ""}`);
  };
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const number = next++;
      const slice = slices?.[number] ?? make(number);
      if (slices) slices[number] = slice;
      controller.enqueue(slice);
      if (next === count) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(streams.open(what, body), { headers: JSON_TYPE });
}
