/**
 * A request body, taken whole.
 *
 * Owns: the way from the socket into one buffer, decoded and bounded. Refuses: what is declared, received or decoded
 * over the limit (413), what comes too slowly or would need memory that others have (503, see `arriving.ts`), what ends
 * early or does not decode (400), unknown encodings (415). Never looks at the Content-Type.
 *
 * Invariant: whatever happens, the bytes that a body took from the budget are given back once: here if it fails, by
 * `release` if it is handed out. Framing is the server's: it refuses bodies that differ from their declared length.
 *
 * Two ways, because each is the wrong one for the other's sizes. A small declared body is one `bytes()`: 17 µs a
 * request, against 39 for a loop. It cannot be given up: a client that stalls within one is answered when its time is
 * over, but what came of it, at most 64 KiB, stays in the runtime until the client leaves; that is memory of the
 * connection, and not in the budget. A large one is taken into one buffer as it arrives, see
 * `growing_buffer.ts`: 16 connections with 4 MiB each stay near 220 MB, against 1.3 GB with `bytes()`, and a stalled one
 * holds at most four times what it sent.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { BODY_ENCODED_SLACK_BYTES, BODY_WHOLE_BYTES_MAX } from "../protocol/limits.ts";
import type { ArrivingBodies } from "./arriving.ts";
import type { BodyBudget } from "./body_budget.ts";
import { decodeContent, type Encoding, parseContentEncoding } from "./content_encoding.ts";
import { GrowingBuffer } from "./growing_buffer.ts";

/** What bounds a body. */
export interface BodyOptions {
  /** Most bytes of a body once it is decoded. */
  readonly batchBytesMax: number;
  /** All bodies on their way to the node, with the memory that they share. */
  readonly arriving: ArrivingBodies;
}

/** A body in memory; `release` it once its bytes are stored or refused. */
export class Body {
  #held: number;
  #buffer: Uint8Array<ArrayBuffer> | undefined;

  /** @param buffer memory to be used again, which `bytes` is in */
  constructor(
    /** The decoded content, owned by whoever holds the body. */
    readonly bytes: Uint8Array,
    /** Whether one byte behind `bytes`, in the same buffer, may be written too. */
    readonly spare: boolean,
    private readonly budget: BodyBudget,
    held: number,
    buffer?: Uint8Array<ArrayBuffer>,
  ) {
    this.#held = held;
    this.#buffer = buffer;
  }

  /** Gives its bytes back to the budget, and its memory to the next body: nobody may look at `bytes` again. Again does nothing. */
  release(): void {
    this.budget.give(this.#held);
    this.#held = 0;
    if (this.#buffer) this.budget.buffers.give(this.#buffer);
    this.#buffer = undefined;
  }
}

/** Takes the body of `request`; rejects with `ChukchaError` with `written: no`. */
export function takeBody(request: Request, options: BodyOptions): Promise<Body> {
  const { headers } = request;
  const encoding = headers.get("content-encoding");
  const length = headers.get("content-length");
  const declared = length === null ? NaN : Number(length);
  // Most bodies are small and plain: these take no more promises than they need.
  return encoding === null && declared <= Math.min(BODY_WHOLE_BYTES_MAX, options.batchBytesMax)
    ? receiveWhole(request, declared, options.arriving)
    : takeAny(request, declared, encoding, options);
}

async function takeAny(
  request: Request,
  declared: number,
  encoding: string | null,
  options: BodyOptions,
): Promise<Body> {
  const encodings = parseContentEncoding(encoding);
  const receivedMax = options.batchBytesMax + (encodings.length > 0 ? BODY_ENCODED_SLACK_BYTES : 0);
  // The body stays untouched: the server then closes the connection behind the answer.
  if (declared > receivedMax) throw tooLarge(declared, receivedMax);
  const body = declared <= BODY_WHOLE_BYTES_MAX
    ? await receiveWhole(request, declared, options.arriving)
    : await receive(request, declared, receivedMax, options);
  return finish(body, encodings, options);
}

function finish(received: Body, encodings: readonly Encoding[], options: BodyOptions): Body {
  const { arriving, batchBytesMax } = options;
  if (encodings.length === 0 || received.bytes.length === 0) return received;
  try {
    const content = decodeContent(received.bytes, encodings, batchBytesMax);
    arriving.take(content.length);
    return new Body(content, false, arriving.budget, content.length);
  } finally {
    received.release();
  }
}

/** The whole of a small body, by one call. */
function receiveWhole(request: Request, declared: number, arriving: ArrivingBodies): Promise<Body> {
  return new Promise((resolve, reject) => {
    const arrival = arriving.begin(declared, (error) => {
      arriving.end(arrival);
      reject(error);
    });
    request.bytes().then((bytes) => {
      // It came after all, but was answered already.
      if (arrival.givenUp) return;
      arriving.end(arrival);
      try {
        arriving.take(bytes.length);
      } catch (error) {
        return reject(error);
      }
      resolve(new Body(bytes, false, arriving.budget, bytes.length));
    }, (cause) => {
      arriving.end(arrival);
      reject(endedEarly(cause));
    });
  });
}

/** Takes the body into one buffer as it arrives; `declared` is NaN if the client did not say how long it is. */
async function receive(
  request: Request,
  declared: number,
  receivedMax: number,
  { arriving, batchBytesMax }: BodyOptions,
): Promise<Body> {
  const { budget } = arriving;
  if (request.body === null) return new Body(new Uint8Array(0), false, budget, 0);
  let refusal: ChukchaError | undefined;
  const arrival = arriving.begin(0, (error) => {
    refusal = error;
    // Ends the read that is under way; should the connection break at the same time, that read says so.
    buffer.drop().catch(() => {});
  });
  const buffer = new GrowingBuffer(request.body, arriving, arrival, declared > 0 ? declared : 0, receivedMax);
  try {
    for (;;) {
      const bytes = await buffer.next();
      if (refusal) throw refusal;
      if (bytes === undefined) {
        return new Body(buffer.bytes(), buffer.spare, budget, arriving.end(arrival), buffer.whole());
      }
      if (buffer.used + bytes > receivedMax) throw tooLarge(buffer.used + bytes, batchBytesMax);
      arriving.received(arrival, bytes);
      buffer.take(bytes);
    }
  } catch (cause) {
    budget.give(arriving.end(arrival));
    if (!(cause instanceof ChukchaError)) throw refusal ?? endedEarly(cause);
    // What the client still sends must be let go, or the connection never gets the answer. If it is gone, so be it.
    await buffer.drop().catch(() => {});
    throw cause;
  }
}

function tooLarge(bytes: number, bytesMax: number): ChukchaError {
  return new ChukchaError(
    "too_large",
    `body: ${bytes} bytes are over the limit of ${bytesMax} bytes for a batch`,
  );
}

/** A `TypeError` is a defect of ours (the body was read twice); all else is the connection's or the client's doing. */
export function endedEarly(cause: unknown): unknown {
  if (cause instanceof TypeError) return cause;
  return new ChukchaError("invalid_body", "body: the connection ended before the whole of it arrived", {
    cause,
  });
}
