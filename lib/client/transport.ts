/**
 * One request to a node: its address, its deadline, and its errors.
 *
 * Owns that every failure arrives as one of two classes: `ChukchaError` for what the node said, `TransportError` for
 * all else. Only what the caller itself aborted is thrown as it is: the reason of its signal. Never retries: who asks
 * knows whether that is safe.
 *
 * @module
 */
import { ChukchaError, parseErrorBody, quote, type Written } from "../protocol/errors.ts";
import { describeFailure } from "../protocol/fetch_failure.ts";
import { CLIENT_KEPT_MS } from "../protocol/limits.ts";
import { TransportError, writtenAfter } from "./transport_error.ts";

/** The part of `fetch` that is used: any function that takes an address and options. */
export type FetchLike = (input: string, init: RequestInit) => Promise<Response>;

/** What a {@linkcode Transport} is built from. */
export interface TransportOptions {
  readonly server: string;
  readonly fetch: FetchLike;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly token: string | (() => string | Promise<string>) | undefined;
}

/** One request. */
export interface Attempt {
  /** For error messages: `write to category "web"`. */
  readonly action: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly method?: "GET" | "POST" | "DELETE";
  // Not `BodyInit`: the types of Node know no such name.
  readonly body?: NonNullable<RequestInit["body"]>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** What is taken goes on after the request: signals count for it until its end. */
  readonly isStream?: true;
  /** Added to the deadline: what the node itself was told to wait. */
  readonly extraMs?: number;
  /** Within this time the answer has to begin, what the node was told to wait not counted. */
  readonly answerMs?: number | undefined;
}

/** Longest piece of a foreign answer that goes into an error message. */
const FOREIGN_CHARS_MAX = 200;
/** No error of a node is longer; a stranger's page is not read to its end. */
const ERROR_BYTES_MAX = 64 * 1024;

/**
 * When each server last answered, by its origin: all clients of a program share the runtime's connections.
 *
 * A runtime may send a request by a connection that was kept, find it broken, and send the request anew, of which only
 * the second failure is told: "connection refused", when the first may have been carried out and the node killed behind
 * it. (Deno 2.9.6 does so even after the whole body of a POST.) Only where nothing can have been kept does that error say
 * that nothing was written.
 */
const ANSWERED = new Map<string, number>();

/** Sends requests to one node. */
export class Transport {
  readonly #server: string;
  /** What paths are appended to. */
  readonly #prefix: string;
  readonly #origin: string;
  readonly #fetch: FetchLike;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #token: TransportOptions["token"];

  constructor({ server, fetch, signal, timeoutMs, token }: TransportOptions) {
    this.#server = server.replace(/\/+$/, "");
    const { href, origin } = parseServer(server);
    this.#prefix = href;
    this.#origin = origin;
    this.#fetch = fetch;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    this.#token = typeof token === "string" ? checkToken(token) : token;
  }

  /**
   * Sends a request, and has a good answer taken by `take` within the same deadline. What `take` returns may go on
   * after it, as a stream does.
   */
  async request<T>(attempt: Attempt, take: (response: Response) => Promise<T> | T): Promise<T> {
    const ending = new AbortController();
    const wholeMs = this.#timeoutMs + (attempt.extraMs ?? 0);
    let waitMs = Math.min(wholeMs, (attempt.answerMs ?? Infinity) + (attempt.extraMs ?? 0));
    // Whether the deadline was reached is noted here: a body that is aborted says no more than "aborted".
    let isSilent = false;
    const expire = (): void => {
      isSilent = !ending.signal.aborted;
      ending.abort();
    };
    let timer = setTimeout(expire, waitMs);
    const outer = [this.#signal, attempt.signal].filter((signal) => signal !== undefined);
    const signal = attempt.isStream ? AbortSignal.any([ending.signal, ...outer]) : ending.signal;
    const forget = attempt.isStream ? undefined : abortWith(ending, outer);
    let mayBeKept = false;
    try {
      const headers = this.#token === undefined ? {} : { authorization: await this.#authorization(attempt) };
      mayBeKept = this.#mayBeKept();
      const response = await this.#fetch(this.#address(attempt), initOf(attempt, headers, signal));
      ANSWERED.set(this.#origin, performance.now());
      if (waitMs < wholeMs) {
        clearTimeout(timer);
        timer = setTimeout(expire, wholeMs - waitMs);
        waitMs = wholeMs;
      }
      if (!response.ok) throw await this.#refusal(attempt, response);
      if (attempt.isStream && response.body) RESPONSES.set(response.body, response);
      return await take(response);
    } catch (error) {
      if (error instanceof ChukchaError || error instanceof TransportError) throw error;
      for (const signal of outer) signal.throwIfAborted();
      if (error instanceof ForeignAnswer) throw this.failure(attempt, error.message, "maybe", error.status);
      const written = writtenAfter(error);
      // Who listens no more keeps no connections either, as far as the next request is concerned.
      if (written === "no") ANSWERED.delete(this.#origin);
      throw this.failure(
        attempt,
        isSilent ? `no answer within ${waitMs} ms` : describeFailure(error),
        isSilent || mayBeKept ? "maybe" : written,
        undefined,
        error,
      );
    } finally {
      clearTimeout(timer);
      forget?.();
    }
  }

  /** Throws the reason of a signal that aborted the client, or this attempt. */
  throwIfAborted(signal: AbortSignal | undefined): void {
    this.#signal?.throwIfAborted();
    signal?.throwIfAborted();
  }

  /** Whether the runtime may have a connection to the server that was kept. */
  #mayBeKept(): boolean {
    const answeredMs = ANSWERED.get(this.#origin);
    return answeredMs !== undefined && performance.now() - answeredMs < CLIENT_KEPT_MS;
  }

  /** The error of an attempt that got no valid answer. */
  failure(
    attempt: Attempt,
    reason: string,
    written: Written,
    status?: number,
    cause?: unknown,
    retryAfterMs?: number,
  ): TransportError {
    return new TransportError(reason, {
      server: this.#server,
      action: attempt.action,
      written: attempt.method === "POST" ? written : "no",
      ...(status === undefined ? {} : { status }),
      ...(cause === undefined ? {} : { cause }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  async #authorization(attempt: Attempt): Promise<string> {
    const token = this.#token!;
    if (typeof token === "string") return `Bearer ${token}`;
    try {
      return `Bearer ${checkToken(await token())}`;
    } catch (error) {
      if (error instanceof ChukchaError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw this.failure(attempt, `there is no token: ${reason}`, "no", undefined, error);
    }
  }

  /** Not by `URL`, which takes three times as long, and leaves more behind. */
  #address({ path, query = {} }: Attempt): string {
    let address = `${this.#prefix}${path}`;
    let separator = "?";
    for (const name in query) {
      const value = query[name];
      if (value === undefined) continue;
      address += `${separator}${name}=${encoded(value)}`;
      separator = "&";
    }
    return address;
  }

  /** What a node, or something between it and us, said instead of a good answer. */
  async #refusal(attempt: Attempt, response: Response): Promise<Error> {
    const text = await beginningOf(response);
    const retryAfterMs = retryAfter(response);
    const error = parseErrorBody(text, retryAfterMs);
    if (error) return error;
    const said = text.trim() === "" ? "" : `: ${quote(text.trim().slice(0, FOREIGN_CHARS_MAX))}`;
    const written = response.status >= 500 ? "maybe" : "no";
    const { status } = response;
    return this.failure(attempt, `answered ${status}${said}`, written, status, undefined, retryAfterMs);
  }
}

/** `Retry-After` in milliseconds: seconds, or a date, as proxies send it too. */
function retryAfter({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/**
 * The answers whose bodies are streamed, for as long as somebody holds the body. Deno keeps nothing of an answer for the
 * signal of its request: once it is collected, the signal does not end its body any more.
 */
const RESPONSES = new WeakMap<ReadableStream, Response>();

/**
 * Has `ending` aborted with any of the sources, until the returned function is called; `undefined` if there are none. As
 * `AbortSignal.any`, of which Node keeps something for as long as its sources live: 140 bytes a request, for ever, where
 * a program has one signal for all it does.
 */
function abortWith(ending: AbortController, sources: readonly AbortSignal[]): (() => void) | undefined {
  if (sources.length === 0) return undefined;
  const abort = ({ target }: { target: EventTarget | null }): void => {
    ending.abort((target as AbortSignal).reason);
  };
  for (const source of sources) {
    if (source.aborted) ending.abort(source.reason);
    else source.addEventListener("abort", abort);
  }
  return () => {
    for (const source of sources) source.removeEventListener("abort", abort);
  };
}

/** An answer with a good status that is not what a node answers. */
export class ForeignAnswer extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(`${message}; is this the address of a Chukcha node?`);
    this.status = status;
  }
}

/** The address of a node as a base to resolve against; throws `invalid_parameter` if it is none. */
function parseServer(server: string): URL {
  const text = server.endsWith("/") ? server : `${server}/`;
  // Node 20 has no URL.parse yet.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Not quoted: it may be a token.
  if (/^[^/]*(?:\/\/)?[^/?#]*@/.test(text)) {
    throw new ChukchaError(
      "invalid_parameter",
      "server: the address has a user or a password in it; a token does not go into an address, where logs and " +
        "histories keep it, but into the option token",
    );
  }
  if (url && /^https?:$/.test(url.protocol) && url.search === "") return url;
  throw new ChukchaError(
    "invalid_parameter",
    `server: ${quote(server)} is not an address like http://127.0.0.1:8080`,
  );
}

/** As it stands in a query: names and numbers as they are. */
function encoded(value: string | number): string {
  if (typeof value === "number" || /^[\w.-]*$/.test(value)) return `${value}`;
  return new URLSearchParams([["", value]]).toString().slice(1);
}

/** A header takes no other characters; the runtime's own error would quote them. */
function checkToken(token: string): string {
  if (/^[!-~]+$/.test(token)) return token;
  const what = token === "" ? "it is empty" : "it has characters other than visible ASCII, as a line break";
  throw new ChukchaError("invalid_parameter", `token: ${what}`);
}

function initOf(
  { method = "GET", body, headers = {} }: Attempt,
  more: Readonly<Record<string, string>>,
  signal: AbortSignal,
): RequestInit {
  const init: RequestInit & { duplex?: "half" } = {
    method,
    headers: { ...headers, ...more },
    signal,
    cache: "no-store",
  };
  if (body !== undefined) init.body = body;
  // Node refuses a stream as a body without this word.
  if (body instanceof ReadableStream) init.duplex = "half";
  return init;
}

/** Pieces of a stream: not every browser can iterate over one. Leaving the loop cancels it. */
export async function* pieces<T>(stream: ReadableStream<T>): AsyncGenerator<T, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The beginning of an answer's text; empty if it cannot be read. */
async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  if (!response.body) return text;
  try {
    for await (const piece of pieces(response.body)) {
      text += decoder.decode(piece, { stream: true });
      bytes += piece.length;
      if (bytes >= ERROR_BYTES_MAX) break;
    }
  } catch {
    // The status alone has to do: an answer that breaks off adds nothing to it.
  }
  return text;
}
