/**
 * Clients of `/tail`: messages as lines, or as server-sent events, one after the other as they are asked for.
 *
 * @module
 */
import type { NodeUnderTest } from "../support/node.ts";

/** One server-sent event. */
export interface TailEvent {
  readonly id: string;
  readonly data: string;
}

abstract class TailClient<T> implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #controller: AbortController;
  #text = "";
  #ended = false;

  protected constructor(body: ReadableStream<Uint8Array>, controller: AbortController) {
    const decoder = new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>;
    this.#reader = body.pipeThrough(decoder).getReader();
    this.#controller = controller;
  }

  /** The next `count`; waits for them. Throws if the stream ends before. */
  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) {
      const { found, rest } = this.parse(this.#text, count - taken.length);
      this.#text = rest;
      for (const item of found) taken.push(item);
      if (taken.length < count && !await this.#more()) {
        throw new Error(`the tail ended after ${taken.length} of ${count}`);
      }
    }
    return taken;
  }

  /** Everything until the server ends the stream. */
  async rest(): Promise<T[]> {
    while (await this.#more());
    return this.parse(this.#text, Infinity).found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    // Either it ended before, or it ends with the abort.
    await this.#reader.cancel().catch(() => {});
  }

  /** Takes at most `max` from the beginning of `text`. */
  protected abstract parse(text: string, max: number): { found: T[]; rest: string };

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const { done, value } = await this.#reader.read();
    if (done) this.#ended = true;
    else this.#text += value;
    return !done;
  }
}

async function connect(
  node: NodeUnderTest,
  query: string,
  headers: Record<string, string>,
): Promise<[ReadableStream<Uint8Array>, AbortController]> {
  const controller = new AbortController();
  const response = await node.fetch(`/tail?category=${query}`, { headers, signal: controller.signal });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return [response.body!, controller];
}

/** A plain tail. Opening waits for the first message. */
export class LineTail extends TailClient<string> {
  static async open(node: NodeUnderTest, category: string, query = ""): Promise<LineTail> {
    return new LineTail(...await connect(node, category + query, {}));
  }

  protected override parse(text: string, max: number): { found: string[]; rest: string } {
    const found: string[] = [];
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0 && found.length < max; end = text.indexOf("\n", start)) {
      found.push(text.slice(start, end));
      start = end + 1;
    }
    return { found, rest: text.slice(start) };
  }
}

/** A tail as server-sent events. Opening waits for nothing but the answer's head. */
export class EventTail extends TailClient<TailEvent> {
  static async open(
    node: NodeUnderTest,
    category: string,
    query = "",
    headers: Record<string, string> = {},
  ): Promise<EventTail> {
    return new EventTail(
      ...await connect(node, category + query, { accept: "text/event-stream", ...headers }),
    );
  }

  protected override parse(text: string, max: number): { found: TailEvent[]; rest: string } {
    const found: TailEvent[] = [];
    let start = 0;
    for (let end = text.indexOf("\n\n"); end >= 0 && found.length < max; end = text.indexOf("\n\n", start)) {
      const event = parseEvent(text.slice(start, end));
      if (event) found.push(event);
      start = end + 2;
    }
    return { found, rest: text.slice(start) };
  }
}

/** `undefined` for a comment alone. */
function parseEvent(block: string): TailEvent | undefined {
  let id = "";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) id = line.slice(4);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
    else if (!line.startsWith(":")) throw new Error(`not a line of an event: ${JSON.stringify(line)}`);
  }
  return data.length > 0 ? { id, data: data.join("\n") } : undefined;
}
