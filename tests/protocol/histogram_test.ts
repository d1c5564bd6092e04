/**
 * @module Tests of `lib/protocol/histogram.ts`.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { Histogram } from "../../lib/protocol/histogram.ts";

Deno.test("Histogram counts a value in the first bucket whose bound it does not exceed", () => {
  const histogram = new Histogram([1, 2, 4]);
  for (const value of [0, 1, 1.5, 2, 4, 4.1, 1000]) histogram.observe(value);
  assertEquals([0, 1, 2, 3].map((i) => histogram.cumulative(i)), [2, 4, 5, 7]);
  assertEquals([histogram.count, histogram.sum], [7, 1012.6]);
});

Deno.test("Histogram takes only bounds that are finite and rise", () => {
  for (const bounds of [[1, 1], [2, 1], [1, Infinity], [NaN]]) {
    assertThrows(() => new Histogram(bounds), RangeError, "bounds: ");
  }
});
