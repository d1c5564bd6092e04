/**
 * The text format: what is written is what a strict reader reads, whatever is in it; and that the reader is strict.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { MetricsText } from "../../lib/http/metrics_text.ts";
import { Histogram } from "../../lib/protocol/histogram.ts";
import { parseMetrics } from "../support/metrics_parser.ts";

Deno.test("MetricsText escapes labels and help so that they come back as they were", () => {
  const odd = ['"', "\\", "\n", "\\n", 'a"b\\c\nd', "ä 😀", "}", '",x="', ""];
  const text = new MetricsText();
  text.family("x_total", "counter", 'back\\slash, new\nline and "quotes"');
  odd.forEach((name, i) => text.sample(i, { name, more: "y" }));
  const { families } = parseMetrics(text.toString());
  const { help, samples } = families.get("x_total")!;
  assertEquals(help, 'back\\slash, new\nline and "quotes"');
  assertEquals(
    samples.map(({ labels, value }) => [labels["name"], labels["more"], value]),
    odd.map((name, i) => [name, "y", i]),
  );
});

Deno.test("MetricsText writes numbers as the format has them", () => {
  const text = new MetricsText();
  const values = [0, 1, -1.5, 1e21, 1.5e-7, 2 ** 53, Infinity, -Infinity, NaN];
  text.family("x", "gauge", "x");
  values.forEach((value, i) => text.sample(value, { i: String(i) }));
  assertEquals(parseMetrics(text.toString()).families.get("x")!.samples.map(({ value }) => value), values);
});

Deno.test("MetricsText writes a histogram with cumulative buckets", () => {
  const histogram = new Histogram([0.001, 1]);
  for (const value of [0.0005, 0.5, 0.5, 7]) histogram.observe(value);
  const text = new MetricsText();
  text.family("x", "histogram", "x");
  text.histogram(histogram);
  assertEquals(
    text.toString().split("\n").slice(2, -1),
    ['x_bucket{le="0.001"} 1', 'x_bucket{le="1"} 3', 'x_bucket{le="+Inf"} 4', "x_sum 8.0005", "x_count 4"],
  );
  parseMetrics(text.toString());
});

Deno.test("parseMetrics refuses what is malformed", () => {
  const head = (name: string, type: string): string => `# HELP ${name} h\n# TYPE ${name} ${type}\n`;
  const bad = [
    "x 1\n",
    "# TYPE x gauge\nx 1\n",
    `${head("x", "gauge")}x 1`,
    `${head("x", "gauge")}x 1\nx 2\n`,
    `${head("x", "gauge")}x{a="1",b="2"} 1\nx{b="2",a="1"} 2\n`,
    `${head("x", "gauge")}x 1\n${head("x", "gauge")}x{a="1"} 1\n`,
    `${head("x", "gauge")}y 1\n`,
    `${head("x", "gauge")}x{} 1\n`,
    `${head("x", "gauge")}x{a="1",} 1\n`,
    `${head("x", "gauge")}x{a="1",a="2"} 1\n`,
    `${head("x", "gauge")}x{a="\\t"} 1\n`,
    `${head("x", "gauge")}x{a="""} 1\n`,
    `${head("x", "gauge")}x one\n`,
    `${head("x_total", "gauge")}x_total 1\n`,
    `${head("x", "counter")}x 1\n`,
    `${head("x_total", "counter")}x_total -1\n`,
    `${head("x", "histogram")}x_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n`,
    `${head("x", "histogram")}x_bucket{le="+Inf"} 1\nx_sum 1\nx_count 2\n`,
    `${
      head("x", "histogram")
    }x_bucket{le="2"} 1\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n`,
    `${head("x", "histogram")}x_bucket{le="1"} 1\nx_sum 1\nx_count 1\n`,
    `${head("x", "histogram")}x_bucket{le="+Inf"} 1\nx_count 1\n`,
  ];
  for (const text of bad) assertThrows(() => parseMetrics(text), Error, "", text);
});
