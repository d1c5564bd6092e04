/**
 * `GET /tail` as a request, in both its forms, until its connection ends. Going on after that is for `tail.ts`.
 *
 * @module
 */
import { TAIL_KEEPALIVE_MS } from "../protocol/limits.ts";
import { checkCategory } from "../protocol/names.ts";
import { EventParser, type TailPiece } from "./event_parser.ts";
import type { TailOptions } from "./options.ts";
import { type Attempt, ForeignAnswer, pieces, type Transport } from "./transport.ts";

/** Three signs of life that did not come. */
const SILENCE_MS = 3 * TAIL_KEEPALIVE_MS;

/** The stream of plain lines. */
export async function* tailLines(
  transport: Transport,
  category: string,
  { from, cursor, onOpen, answerMs, signal }: TailOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const attempt: Attempt = {
    action: `tail category "${checkCategory(category)}"`,
    path: "tail",
    isStream: true,
    query: { category, from, cursor },
    headers: { accept: "text/plain" },
    signal,
    answerMs,
  };
  const body = await transport.request(attempt, bodyOf);
  onOpen?.();
  try {
    yield* pieces(body);
  } catch (cause) {
    transport.throwIfAborted(signal);
    throw transport.failure(attempt, "the connection broke off", "no", undefined, cause);
  }
  throw transport.failure(attempt, "the server ended the stream", "no");
}

/** The stream of events, each with its cursor. */
export async function* tailEvents(
  transport: Transport,
  category: string,
  { from, cursor, onOpen, answerMs, signal }: TailOptions,
): AsyncGenerator<TailPiece, void> {
  const silence = new AbortController();
  const attempt: Attempt = {
    action: `tail category "${checkCategory(category)}"`,
    path: "tail",
    isStream: true,
    query: { category, from, cursor },
    headers: { accept: "text/event-stream" },
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    answerMs,
  };
  const body = await transport.request(attempt, eventsOf);
  onOpen?.();
  const reader = body.getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { value, done } = await readBefore(reader, silence);
      if (done) break;
      const piece = parser.push(value);
      if (piece) yield piece;
    }
  } catch (cause) {
    transport.throwIfAborted(signal);
    const reason = silence.signal.aborted
      ? `no sign of life for ${SILENCE_MS} ms`
      : "the connection broke off";
    throw transport.failure(attempt, reason, "no", undefined, cause);
  } finally {
    await reader.cancel().catch(() => {});
  }
  throw transport.failure(attempt, "the server ended the stream", "no");
}

/** The stream of an answer's body. */
export function bodyOf(response: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (response.body) return response.body as ReadableStream<Uint8Array<ArrayBuffer>>;
  throw new ForeignAnswer("the answer has no body", response.status);
}

function eventsOf(response: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) return bodyOf(response);
  throw new ForeignAnswer("the answer is not a stream of events", response.status);
}

/** Reads on; a node that is alive sends something now and then, so that silence is an end as well. */
async function readBefore<T>(
  reader: ReadableStreamDefaultReader<T>,
  silence: AbortController,
): Promise<ReadableStreamReadResult<T>> {
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    return await reader.read();
  } finally {
    clearTimeout(timer);
  }
}
