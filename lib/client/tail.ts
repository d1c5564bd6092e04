/**
 * Follows a category for ever, over as many connections and nodes as it takes.
 *
 * Owns that a break loses nothing and repeats nothing: the next connection, at this node or another, goes on behind the
 * last message that was handed over. A start at `"latest"` is made a place at once, so that a break before the first
 * message does not move it. A node that lacks messages of another one goes on with them when it has them.
 *
 * A tail stays at the node that it went on at: it would gain nothing by going back.
 *
 * @module
 */
import { CLIENT_ANSWER_MS } from "../protocol/limits.ts";
import { checkCategory, parseChunkName } from "../protocol/names.ts";
import { formatCursor, parseCursor } from "../protocol/position.ts";
import { formatFrom } from "./consumer_calls.ts";
import type { ChunkPlace, From } from "./consumer_options.ts";
import type { TailPiece } from "./event_parser.ts";
import { jsonOf, messagesOf, textsOf } from "./lines.ts";
import type { ChukchaClient } from "./client.ts";
import { type Nodes, Route, type Trouble } from "./route.ts";

/** Where a tail starts, and how long it tries. */
export interface FollowOptions {
  /**
   * Where to start.
   *
   * @default "earliest"
   */
  readonly from?: From | undefined;
  /** Goes on behind this place, and overrides `from`: the `cursor` of a piece. */
  readonly cursor?: string | undefined;
  /**
   * Milliseconds without an answer of any node, after which the loop throws the last error; `Infinity` to go on for ever.
   *
   * @default 600000, and 60000 before the first answer
   */
  readonly giveUpMs?: number | undefined;
  /** Is told of each failure that is tried again. */
  readonly onTrouble?: ((trouble: Trouble) => void) | undefined;
  /** Ends the loop, which throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Messages of a tail that arrived together, in order within each owner.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Piece } from "./mod.ts";
 *
 * const bytes = new TextEncoder().encode('{"user":1}\n{"user":2}\n');
 * const piece = new Piece({ bytes, messages: 2, cursor: "node-chunk000000000:22" });
 * assertEquals([...piece.texts()], ['{"user":1}', '{"user":2}']);
 * assertEquals([...piece.json<{ user: number }>()].map(({ user }) => user), [1, 2]);
 * ```
 */
export class Piece {
  /** The messages, each with its `\n`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many messages. */
  readonly count: number;
  /** The place behind the last of them: a tail that is given it goes on there. */
  readonly cursor: string;

  /**
   * Makes a piece of what arrived.
   *
   * @param piece as the low-level `follow` has it
   */
  constructor({ bytes, messages, cursor }: TailPiece) {
    this.bytes = bytes;
    this.count = messages;
    this.cursor = cursor;
  }

  /** How many bytes that are, each message with its `\n`. */
  get size(): number {
    return this.bytes.length;
  }

  /**
   * Each message without its `\n`, as a view of `bytes`: nothing is copied.
   *
   * @returns to be gone through once
   */
  messages(): Generator<Uint8Array<ArrayBuffer>, void> {
    return messagesOf(this.bytes);
  }

  /**
   * Each message without its `\n`, as text. Bytes that are not UTF-8 become U+FFFD.
   *
   * @returns to be gone through once
   */
  texts(): Generator<string, void> {
    return textsOf(this.bytes);
  }

  /**
   * Each message as the value that it is the JSON of; nobody checks that it is a `T`.
   *
   * @returns to be gone through once; throws a {@linkcode MessageError} at a message that is no JSON
   */
  json<T = unknown>(): Generator<T, void> {
    return jsonOf(this.bytes, { cursor: this.cursor });
  }
}

/** Pieces without end. What is given is judged at once; everything else happens in the loop. */
export function follow(
  nodes: Nodes,
  category: string,
  options: FollowOptions = {},
): AsyncGenerator<Piece, void> {
  const { from, cursor } = options;
  checkCategory(category);
  if (cursor !== undefined) parseCursor(cursor, "cursor");
  return goOn(
    nodes,
    category,
    cursor === undefined ? { from: formatFrom(from ?? "earliest") } : { cursor },
    options,
  );
}

type Start = { readonly from: string } | { readonly cursor: string };

async function* goOn(nodes: Nodes, category: string, first: Start, options: FollowOptions) {
  const { giveUpMs, onTrouble, signal } = options;
  const route = new Route(nodes, category, { giveUpMs, onTrouble });
  const hurry = signal ?? new AbortController().signal;
  const answerMs = CLIENT_ANSWER_MS;
  let start: Start | undefined = "from" in first && first.from === "latest" ? undefined : first;
  for (;;) {
    try {
      start ??= await endOf(route.client, category, signal);
      const onOpen = (): void => route.worked();
      for await (const piece of route.client.follow(category, { ...start, onOpen, answerMs, signal })) {
        start = { cursor: piece.cursor };
        yield new Piece(piece);
      }
    } catch (error) {
      signal?.throwIfAborted();
      await route.failed(error, hurry);
      signal?.throwIfAborted();
    }
  }
}

/** The place behind all that a node has now: for each owner, the end of its last chunk. */
async function endOf(
  client: ChukchaClient,
  category: string,
  signal: AbortSignal | undefined,
): Promise<Start> {
  const ends = new Map<string, ChunkPlace>();
  for (const { name, size } of await client.listChunks(category, { signal })) {
    const id = parseChunkName(name);
    // The list is sorted by name: the last one of an owner wins.
    if (id) ends.set(id.instance, { chunk: name, offset: size });
  }
  return ends.size === 0 ? { from: "earliest" } : { cursor: formatCursor(ends.values()) };
}
