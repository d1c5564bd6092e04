/**
 * `docs/operations.md` and `docs/alerts.yml` hold what `/metrics` answers: every metric with its type and its labels, and
 * no other.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { FAMILIES } from "../lib/http/metric_families.ts";
import { Cluster } from "./replication/world.ts";
import { parseMetrics } from "./support/metrics_parser.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));

/** Rows of the tables of metrics: name, type, labels. */
function documented(): Map<string, { type: string; labels: string[] }> {
  const row = /^\| `((?:chukcha|process)_\w+)` +\| (\w+) +\| (?:`([\w, ]+)`)? *\|/gm;
  const rows = Array.from(read("docs/operations.md").matchAll(row), ([, name, type, labels]) => {
    return [name!, {
      type: type!,
      labels: (labels ?? "").split(", ").filter((label) => label !== ""),
    }] as const;
  });
  assertEquals(new Set(rows.map(([name]) => name)).size, rows.length, "a metric is there twice");
  return new Map(rows);
}

Deno.test("docs/operations.md lists every metric with its type, and no other", () => {
  const rows = documented();
  assertEquals([...rows.keys()].toSorted(), FAMILIES.map(({ name }) => name).toSorted());
  for (const { name, type } of FAMILIES) assertEquals(rows.get(name)!.type, type, name);
});

Deno.test("docs/operations.md lists the labels that are there", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  await cluster.node("a").write("web", "one\n");
  await cluster.converged("web");
  await cluster.until(() => cluster.node("a").running.cluster!.meters()[0]!.lagBytes === 0, "b has said so");
  const text = await (await cluster.during(cluster.node("a").fetch("/metrics"))).text();
  const rows = documented();
  for (const { name, type, samples } of parseMetrics(text).families.values()) {
    // What is missing here is missing for a reason that its row tells.
    if (samples.length === 0) {
      assert(
        /^(process_|chukcha_scrub_last_round|chukcha_((open|max)_connections|connection_refusals)|chukcha_expir)/
          .test(name),
        name,
      );
    }
    for (const { labels } of samples) {
      const own = Object.keys(labels).filter((label) => type !== "histogram" || label !== "le");
      assertEquals(own.toSorted(), rows.get(name)!.labels.toSorted(), name);
    }
  }
  await cluster.close();
});

Deno.test("docs/alerts.yml asks for metrics that exist, of nodes that have them", () => {
  const { groups } = parse(read("docs/alerts.yml")) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
  };
  const known = new Set(
    FAMILIES.flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name]
    ),
  );
  const rules = groups.flatMap((group) => group.rules);
  assertEquals(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, annotations } of rules) {
    const asked = expr.match(/\b(?:chukcha|process)_\w+/g) ?? [];
    assert(asked.length > 0 || expr.startsWith("up{"), alert);
    assertEquals(asked.filter((name) => !known.has(name)), [], alert);
    assert(annotations.summary.length > 0, alert);
  }
});
