/**
 * What is counted of the requests: which routes answered what, why requests were refused, and what went into and out of
 * each category.
 *
 * Owns plain numbers, in arrays and rows that are made once: a request finds its own and adds to them. Shown by
 * `metric_families.ts`.
 *
 * Invariant: nothing in it ever goes down, and how much memory it takes is bounded, whatever clients ask for.
 *
 * @module
 */
import { ERROR_STATUS, type ErrorCode } from "../protocol/errors.ts";
import { Histogram } from "../protocol/histogram.ts";
import { METRICS_CATEGORIES_MAX, METRICS_CONSUMERS_MAX } from "../protocol/limits.ts";
import { isCategory } from "../protocol/names.ts";
import { CategoryRows } from "./category_rows.ts";
import { ConsumerRows } from "./consumer_rows.ts";
import { Params } from "./params.ts";

/** From a write into the page cache to the longest that replicas are usually waited for. */
const WRITE_SECONDS = [
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
];
/** No status is as large. */
const STATUS_END = 600;
/** Label of all paths that are no route. */
export const NO_ROUTE = "(none)";

/** The counts of one node's requests. */
export class Traffic {
  readonly categories: CategoryRows = new CategoryRows(METRICS_CATEGORIES_MAX);
  readonly consumers: ConsumerRows = new ConsumerRows(METRICS_CONSUMERS_MAX);
  /** How long writes took that were stored, from their head to their answer, in seconds. */
  readonly writeSeconds: Histogram = new Histogram(WRITE_SECONDS);
  readonly #routes = new Map<string, Float64Array>([[NO_ROUTE, new Float64Array(STATUS_END)]]);
  readonly #refusals = new Map<ErrorCode, number>(
    Object.keys(ERROR_STATUS).map((code) => [code as ErrorCode, 0]),
  );

  /** Makes room for the counts of these paths; those of all others are counted together. */
  addRoutes(paths: readonly string[]): void {
    for (const path of paths) this.#routes.set(path, new Float64Array(STATUS_END));
  }

  /** A request was answered. */
  answered(path: string, status: number): void {
    const counts = this.#routes.get(path) ?? this.#routes.get(NO_ROUTE)!;
    counts[status]!++;
  }

  /** A request was answered with an error of this code. */
  refused(code: ErrorCode): void {
    this.#refusals.set(code, this.#refusals.get(code)! + 1);
  }

  /** A request for `url` was refused. It counts for the category it names, if it has a row; making one is for those stored. */
  refusedAt(url: string): void {
    const category = categoryIn(url);
    if (category === undefined) return;
    const { categories } = this;
    (categories.has(category) ? categories.of(category) : categories.other).refusals++;
  }

  /** A batch was stored and its write is about to be answered. */
  wrote(category: string, messages: number, bytes: number, ms: number): void {
    this.writeSeconds.observe(ms / 1000);
    const row = this.categories.of(category);
    row.batches++;
    row.messages += messages;
    row.writtenBytes += bytes;
  }

  /** Messages of a category were given to a reader. */
  read(category: string, bytes: number): void {
    if (bytes > 0) this.categories.of(category).readBytes += bytes;
  }

  /** How many requests for each path had which status; 200 is among them from the start, all others once they occurred. */
  *requests(): Generator<[path: string, status: number, count: number]> {
    for (const [path, counts] of this.#routes) {
      for (let status = 0; status < STATUS_END; status++) {
        const count = counts[status]!;
        if (count > 0 || (status === 200 && path !== NO_ROUTE)) yield [path, status, count];
      }
    }
  }

  /** How often each code was answered. */
  refusals(): Iterable<[code: ErrorCode, count: number]> {
    return this.#refusals;
  }
}

/** The category that a URL names; `undefined` if it names none, or what cannot be one. */
function categoryIn(url: string): string | undefined {
  try {
    const category = Params.of(url).text("category");
    return category !== undefined && isCategory(category) ? category : undefined;
  } catch {
    // Malformed, which is why it was refused.
    return undefined;
  }
}
