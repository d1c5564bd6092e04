/**
 * A strict reader of Prometheus' text format: what a scraper would overlook is an error here.
 *
 * A family has one HELP and one TYPE, in this order and before its samples, and its samples follow one another; names
 * and labels are well-formed; no series is there twice; counters end in `_total` and are not negative; a histogram's
 * buckets rise to `+Inf`, which is its count.
 *
 * @module
 */

/** A sample as it was written. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All samples of one metric. */
export interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: Sample[];
}

/** A whole answer. */
export class ParsedMetrics {
  constructor(readonly families: ReadonlyMap<string, ParsedFamily>) {}

  /** The value of the one series with exactly these labels; throws if there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.find(name, labels);
    if (found === undefined) throw new Error(`no ${keyOf(name, labels)}`);
    return found;
  }

  /** The same, or `undefined`. */
  find(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    return this.series().get(keyOf(name, labels));
  }

  /** Every series by its name and labels. */
  series(): Map<string, number> {
    const samples = [...this.families.values()].flatMap((family) => family.samples);
    return new Map(samples.map(({ name, labels, value }) => [keyOf(name, labels), value]));
  }

  /** The series that may never go down: of counters and histograms. */
  rising(): Map<string, number> {
    const families = [...this.families.values()].filter(({ type }) => type !== "gauge");
    return new ParsedMetrics(new Map(families.map((family) => [family.name, family]))).series();
  }
}

/** Reads an answer; throws an error that names the line. */
export function parseMetrics(text: string): ParsedMetrics {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let current: ParsedFamily | undefined;
  let help: { name: string; text: string } | undefined;
  for (const [i, line] of text.slice(0, -1).split("\n").entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${i + 1}: ${why}: ${line}`);
    };
    const head = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (head?.[1] === "HELP") {
      if (help) fail("a HELP follows a HELP");
      help = { name: head[2]!, text: unescape(head[3]!, /\\(.)/g, "\\n", fail) };
    } else if (head) {
      const [, , name, type] = head;
      if (help?.name !== name) fail("a TYPE without its HELP");
      if (families.has(name!)) fail("a family is there twice");
      if (type !== "counter" && type !== "gauge" && type !== "histogram") return fail("no type");
      if ((type === "counter") !== name!.endsWith("_total")) fail("only counters end in _total");
      current = { name: name!, help: help!.text, type, samples: [] };
      families.set(name!, current);
      help = undefined;
    } else {
      if (help || !current) return fail("a sample without a family");
      const sample = parseSample(line, fail);
      const suffix = sample.name.slice(current.name.length);
      const allowed = current.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!sample.name.startsWith(current.name) || !allowed.includes(suffix)) fail(`not of ${current.name}`);
      if (current.type === "counter" && !(sample.value >= 0)) fail("a counter below 0");
      const key = keyOf(sample.name, sample.labels);
      if (seen.has(key)) fail("a series is there twice");
      seen.add(key);
      current.samples.push(sample);
    }
  }
  if (help) throw new Error("a HELP without a TYPE at the end");
  for (const family of families.values()) if (family.type === "histogram") checkHistogram(family);
  return new ParsedMetrics(families);
}

function parseSample(line: string, fail: (why: string) => never): Sample {
  const [, name, body, number] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ??
    fail("no sample");
  const labels: Record<string, string> = {};
  let rest = body ?? "";
  if (body === "") fail("empty braces");
  while (rest !== "") {
    const [whole, label, value, comma] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(,|$)/.exec(rest) ??
      fail("malformed labels");
    if (Object.hasOwn(labels, label!)) fail("a label is there twice");
    labels[label!] = unescape(value!, /\\(.)/g, '\\n"', fail);
    rest = rest.slice(whole.length);
    if (comma === "," && rest === "") fail("a comma at the end");
  }
  if (!/^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/.test(number!)) fail("no number");
  const value = /Inf$/.test(number!) ? (number!.startsWith("-") ? -Infinity : Infinity) : Number(number);
  return { name: name!, labels, value };
}

function unescape(text: string, pattern: RegExp, allowed: string, fail: (why: string) => never): string {
  return text.replaceAll(pattern, (_, char: string) => {
    if (!allowed.includes(char)) fail(`unknown escape \\${char}`);
    return char === "n" ? "\n" : char;
  });
}

function checkHistogram({ name, samples }: ParsedFamily): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => labels["le"] === "+Inf" ? Infinity : Number(labels["le"]));
  const counts = buckets.map(({ value }) => value);
  const rises = (values: readonly number[], strictly: boolean): boolean =>
    values.every((value, i) => i === 0 || value > values[i - 1]! || (!strictly && value === values[i - 1]));
  if (!rises(bounds, true) || bounds.at(-1) !== Infinity) throw new Error(`${name}: bounds ${bounds}`);
  if (!rises(counts, false)) throw new Error(`${name}: buckets ${counts} are not cumulative`);
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (count !== counts.at(-1)) throw new Error(`${name}: +Inf is ${counts.at(-1)}, the count ${count}`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}: no sum`);
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`).sort();
  return `${name}{${pairs.join(",")}}`;
}
