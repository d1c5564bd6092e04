/**
 * A server in the place of a node: it answers polls and fetches with whatever a test wants, well-formed or not.
 *
 * @module
 */
import {
  decodeChangesRequest,
  decodeFetchRequest,
  encodeChangesAnswer,
  encodeFetchAnswer,
} from "../../lib/replication/wire.ts";
import type { ChangesAnswer, FetchAnswer, NodeId, Wanted } from "../../lib/replication/peer.ts";
import { concatenate } from "../../lib/protocol/bytes.ts";

/** What is asked. */
export interface Asked {
  readonly route: "changes" | "fetch" | "knows";
  /** Of a poll and a fetch. */
  readonly from: NodeId | undefined;
  /** Of a fetch. */
  readonly wanted: readonly Wanted[];
}

/** Answers one request. */
export type Answering = (asked: Asked) => Response | Promise<Response>;

/** Plays a node. */
export class GarbagePeer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Requests that were answered in the current manner. */
  answered = 0;
  #answering: Answering = () => new Response(null, { status: 500 });
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      onError: () => new Response("broken", { status: 500 }),
    }, async (request) => {
      const asked = await take(request);
      this.answered++;
      return await this.#answering(asked);
    });
    this.port = this.#server.addr.port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** From now on. */
  become(answering: Answering): void {
    this.#answering = answering;
    this.answered = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function take(request: Request): Promise<Asked> {
  const route = new URL(request.url).pathname.split("/").at(-1) as Asked["route"];
  const body = await request.bytes();
  if (route === "changes") return { route, from: decodeChangesRequest(body).from, wanted: [] };
  if (route !== "fetch") return { route, from: undefined, wanted: [] };
  const { from, wanted } = decodeFetchRequest(body);
  return { route, from, wanted };
}

/** An answer to a poll as a node would send it. */
export function changesResponse(node: NodeId, more: Partial<ChangesAnswer> = {}): Response {
  const answer: ChangesAnswer = {
    node,
    cursor: `${node.run}.1.0`,
    reset: true,
    more: false,
    heardMs: new Map(),
    acknowledged: [],
    copies: [],
    consumers: [],
    pieces: [],
    ...more,
  };
  return new Response(concatenate(encodeChangesAnswer(answer)));
}

/** An answer to a fetch as a node would send it. */
export function fetchResponse(node: NodeId, more: Partial<FetchAnswer> = {}): Response {
  return new Response(concatenate(encodeFetchAnswer({ node, pieces: [], unreadable: [], ...more })));
}

/** An answer whose body never ends. */
export function endless(text: string, headers: Record<string, string> = {}): Response {
  const part = new TextEncoder().encode(text.repeat(Math.ceil(65_536 / text.length)));
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(part) });
  return new Response(body, { headers });
}

/** A well-formed answer in which one text stands for another: what an encoder would refuse to make. */
export async function altered(response: Response, text: string, other: string): Promise<Response> {
  const bytes = await response.bytes();
  const latin = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  if (!latin.includes(text)) throw new Error(`the answer has no ${text}: ${latin}`);
  return new Response(Uint8Array.from(latin.replaceAll(text, other), (char) => char.charCodeAt(0)));
}
