/**
 * The small write: one request of `POST /write` whose body is short, plain and declared, with nothing to be waited for
 * but this node's own disk. Most requests are such, by the ten thousand a second.
 *
 * It does what `write.ts` does, in one object and one promise: first it is a body on its way, then a batch in the queue,
 * then an answer. What `write.ts` makes for each of these (an arrival, a body, a batch, a promise for each step) took
 * 1.8 of the 2.5 µs that a request costs outside of the runtime. Whatever is in any way special is left to `write.ts`, and
 * so is whatever is refused before the body is looked at: each rule is in one place, and both use it.
 *
 * Invariant: it is answered once. A body that comes after that is not stored; a batch that was queued before may be.
 *
 * Rejected: making the general path as lean as this (what it does for encodings, replicas and producers is what the
 * promises are for), and remembering what headers a connection sends (the runtime does not say which connection it is).
 *
 * @module
 */
import type { ChukchaError } from "../protocol/errors.ts";
import { BODY_WHOLE_BYTES_MAX, WRITE_DEADLINE_COARSE_MS } from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { Append } from "../storage/append_queue.ts";
import { Arrival } from "./arriving.ts";
import { endedEarly } from "./body.ts";
import { isJsonType, mayBeJson } from "./json_messages.ts";
import { countMessages, toBatch } from "./messages.ts";
import type { Service } from "./service.ts";
import { cutOff, late } from "./write.ts";
import type { WriteTarget } from "./write_targets.ts";

const EMPTY: WriteResult = { chunk: "", offset: 0, size: 0 };
const NOTHING = new Uint8Array(0);

/** Makes an answer of what was thrown. */
type Refuse = (error: unknown) => Response;

/** The answer to a small write, counted already; `undefined` if it is not one, and nothing was done yet. */
export function smallWrite(
  service: Service,
  request: Request,
  refuse: Refuse,
): Promise<Response> | undefined {
  if (service.draining || service.refusal()) return undefined;
  const target = targetOf(service, request);
  if (!target) return undefined;
  const { headers } = request;
  if (headers.get("content-encoding") !== null) return undefined;
  const length = headers.get("content-length");
  const bytes = Number(length);
  if (length === null || !(bytes <= Math.min(BODY_WHOLE_BYTES_MAX, service.batchBytesMax))) return undefined;
  return new Promise((resolve) => new SmallWrite(service, request, target, refuse, resolve).begin(bytes));
}

/** Where to, if that can be done here. What the URL is refused for is found again by who says so. */
function targetOf({ guard, targets }: Service, request: Request): WriteTarget | undefined {
  try {
    guard?.admit(request, "write");
    const target = targets.of(request.url);
    const { source, demand: { replicas, sync, timeoutMs } } = target;
    const isPlain = !source && replicas === 0 && (!sync || timeoutMs >= WRITE_DEADLINE_COARSE_MS);
    return isPlain ? target : undefined;
  } catch {
    return undefined;
  }
}

class SmallWrite extends Arrival implements Append {
  readonly sync: boolean;
  readonly source = undefined;
  bytes: Uint8Array = NOTHING;
  readonly #service: Service;
  readonly #request: Request;
  readonly #target: WriteTarget;
  readonly #refuse: Refuse;
  readonly #startMs: number;
  #resolve: ((response: Response) => void) | undefined;
  /** Bytes of the budget that the batch holds. */
  #taken = 0;
  #messages = 0;

  constructor(
    service: Service,
    request: Request,
    target: WriteTarget,
    refuse: Refuse,
    resolve: (response: Response) => void,
  ) {
    super(service.arriving);
    this.#service = service;
    this.#request = request;
    this.#target = target;
    this.#refuse = refuse;
    this.#resolve = resolve;
    this.#startMs = service.clock.monotonic();
    this.sync = target.demand.sync;
  }

  /** Waits for the body. */
  begin(bytes: number): void {
    this.bodies.add(this, bytes);
    this.#request.bytes().then((body) => this.#arrived(body), (cause) => this.#failed(cause));
  }

  #arrived(body: Uint8Array): void {
    if (this.givenUp) return;
    this.bodies.end(this);
    try {
      this.bodies.take(body.length);
      this.#taken = body.length;
      // Looking at a header costs 0.4 µs: only bodies that could be JSON of more than one line are worth it.
      const isJson = mayBeJson(body) && isJsonType(this.#request.headers.get("content-type"));
      this.bytes = toBatch({ bytes: body, spare: false }, isJson, this.#service);
      this.#messages = countMessages(this.bytes);
      if (this.bytes.length === 0) return this.stored(EMPTY);
      if (this.sync) {
        this.dueMs = this.#service.storing.start() + this.#target.demand.timeoutMs;
        this.#service.storing.begin(this);
      }
      this.#service.store.submit(this.#target.category, this);
    } catch (error) {
      this.refused(error);
    }
  }

  #failed(cause: unknown): void {
    if (this.givenUp) return;
    this.bodies.end(this);
    this.refused(cutOff(endedEarly(cause), this.#service));
  }

  // --- as a body on its way, and as a batch that waits for the disk: its time is over ---

  override expired(): void {
    if (this.#taken === 0) return super.expired();
    this.#end(this.#refuse(late(this.#target.demand.timeoutMs)));
  }

  refuse(error: ChukchaError): void {
    this.bodies.end(this);
    this.#end(this.#refuse(error));
  }

  // --- as a batch in the queue ---

  stored(result: WriteResult, atMs?: number): void {
    this.#release();
    if (atMs !== undefined) {
      const { category } = this.#target;
      this.#service.traffic.wrote(category, this.#messages, result.size, atMs - this.#startMs);
    }
    this.#answer(Response.json(result));
  }

  refused(error: unknown): void {
    this.#release();
    this.#end(this.#refuse(error));
  }

  #release(): void {
    if (this.sync) this.#service.storing.end(this);
    this.#service.budget.give(this.#taken);
    this.#taken = 0;
  }

  #end(response: Response): void {
    if (this.#resolve) this.#service.traffic.refusedAt(this.#request.url);
    this.#answer(response);
  }

  #answer(response: Response): void {
    const resolve = this.#resolve;
    if (!resolve) return;
    this.#resolve = undefined;
    this.#service.traffic.answered("/write", response.status);
    resolve(response);
  }
}
