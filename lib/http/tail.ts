/**
 * `GET /tail`: an endless stream of messages, as plain lines or as server-sent events.
 *
 * Nothing is read until the client takes it: a stalled client holds one piece of at most a MiB, less where there are
 * many tails, see `open_tails.ts`, and its tail goes on from disk when it comes back to life. One that takes nothing for
 * too long, see `pace.ts`, loses its tail; it can go on from its cursor with another. Its connection stays until it goes
 * on, and is cut off then, or leaves: the runtime has no way to close it.
 *
 * The runtime sends a response's head together with the first bytes of its body. An event stream begins with a comment
 * at once; plain lines have nothing to send before the first message, so that is when their head arrives.
 *
 * @module
 */
import { accepts } from "@std/http";
import { ChukchaError } from "../protocol/errors.ts";
import { PACE_SILENT_MS, TAIL_KEEPALIVE_MS } from "../protocol/limits.ts";
import { checkCategory } from "../protocol/names.ts";
import { parseCursor, parseFrom } from "../protocol/position.ts";
import type { Tail, TailPiece, TailStart } from "../storage/tail.ts";
import { toEvents } from "./events.ts";
import { Params } from "./params.ts";
import type { Caller } from "./rights.ts";
import type { Service } from "./service.ts";

/** Sent at once, and whenever an event stream has been quiet for a while. */
const KEEPALIVE = new TextEncoder().encode(":\n\n");

/** Handles `GET /tail`. */
export function tail(service: Service, request: Request, caller: Caller): Response {
  const params = Params.of(request.url);
  const category = checkCategory(params.required("category"));
  const start = startOf(params, request.headers.get("last-event-id"));
  const asEvents = accepts(request, "text/plain", "text/event-stream") === "text/event-stream";
  const headers = {
    "content-type": asEvents ? "text/event-stream" : "text/plain",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
  };
  if (request.method === "HEAD") return new Response(null, { headers });
  if (service.draining) {
    throw new ChukchaError("draining", "tail: this node is shutting down; use another one");
  }
  const opened = service.tails.open(
    () => service.store.tail(category, start),
    () => caller.may("read", category),
  );
  return new Response(
    asEvents ? eventStream(service, opened, category) : lineStream(service, opened, category),
    { headers },
  );
}

/** What is given is judged, also where something stronger decides: Last-Event-ID, then the cursor, then from. */
function startOf(params: Params, lastEventId: string | null): TailStart {
  const from = parseFrom(params.text("from") ?? "earliest");
  const cursor = params.text("cursor");
  const start = cursor === undefined ? from : parseCursor(cursor, "cursor");
  return lastEventId ? parseCursor(lastEventId, "Last-Event-ID") : start;
}

function lineStream(service: Service, opened: Tail, category: string): ReadableStream<Uint8Array> {
  return stream(service, opened, category, (piece) => [piece.bytes]);
}

function eventStream(service: Service, opened: Tail, category: string): ReadableStream<Uint8Array> {
  return stream(service, opened, category, (piece) => toEvents(opened, piece), KEEPALIVE);
}

/**
 * Pieces of a tail as they are asked for, each in one or more parts, and `keepalive` at once and whenever nothing came
 * for a while.
 */
function stream(
  service: Service,
  opened: Tail,
  category: string,
  encode: (piece: TailPiece) => Iterable<Uint8Array>,
  keepalive?: Uint8Array,
): ReadableStream<Uint8Array> {
  const { tails } = service;
  let cancelled = false;
  let parts: Iterator<Uint8Array, unknown> = [].values();
  let stopTimer = (): void => {};
  /** Comments in a row that were not taken. */
  let untaken = 0;
  const runner = tails.begin(() => {
    parts = [].values();
    tails.close(opened);
  });
  const end = (): void => {
    stopTimer();
    tails.end(runner);
    tails.close(opened);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (keepalive) controller.enqueue(keepalive);
    },
    async pull(controller) {
      const give = (bytes: Uint8Array): void => {
        controller.enqueue(bytes);
        tails.mustTake(runner, bytes.length);
      };
      runner.dueMs = Infinity;
      const part = parts.next();
      if (!part.done) return give(part.value);
      const enqueueLater = (): void => {
        if (!keepalive) return;
        stopTimer = service.clock.after(TAIL_KEEPALIVE_MS, () => {
          // Of what is not taken, no more is queued.
          if ((controller.desiredSize ?? 0) >= 0) {
            controller.enqueue(keepalive);
            untaken = 0;
          } else if (++untaken * TAIL_KEEPALIVE_MS >= PACE_SILENT_MS) return tails.close(opened);
          enqueueLater();
        });
      };
      enqueueLater();
      try {
        const piece = await opened.next(tails.stepBytes);
        if (cancelled) return;
        if (!piece) {
          end();
          return controller.close();
        }
        service.traffic.read(category, piece.bytes.length);
        parts = encode(piece)[Symbol.iterator]();
        const first = parts.next();
        if (!first.done) give(first.value);
      } catch (error) {
        // The status was sent long ago: cutting the stream off is the only way left to say that something is wrong.
        end();
        const message = error instanceof Error ? error.message : String(error);
        service.log.error("a tail ended with an error", { error: message });
        throw error;
      } finally {
        stopTimer();
      }
    },
    cancel() {
      cancelled = true;
      end();
    },
  }, { highWaterMark: 0 });
}
