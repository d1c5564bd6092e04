/**
 * Prometheus' text format, version 0.0.4: how a sample is written down.
 *
 * ```text
 * # HELP chukcha_chunks Chunks that are stored here.
 * # TYPE chukcha_chunks gauge
 * chukcha_chunks 12
 * chukcha_read_bytes_total{category="web"} 4096
 * chukcha_sync_duration_seconds_bucket{le="0.001"} 3
 * ```
 *
 * Owns the escaping, and that a family has one head, before its samples. Rejected: a library. What counts lies in layers
 * that may not know one, so that writing this down would be all it did; see `docs/dependencies.md`.
 *
 * @module
 */
import type { Histogram } from "../protocol/histogram.ts";

/** Content type of the format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What a family's samples are. */
export type MetricType = "counter" | "gauge" | "histogram";

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/** A text that grows family by family. */
export class MetricsText {
  #text = "";
  #name = "";

  /** Begins a family: the samples that follow are of it. */
  family(name: string, type: MetricType, help: string): void {
    this.#name = name;
    this.#text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  }

  /** Adds a sample; names of labels are valid as they are. */
  sample(value: number, labels?: Labels): void {
    this.#add("", value, labels);
  }

  /** Adds all samples of a histogram. */
  histogram(histogram: Histogram): void {
    histogram.bounds.forEach((bound, i) =>
      this.#add("_bucket", histogram.cumulative(i), { le: formatValue(bound) })
    );
    const { count, sum } = histogram;
    this.#add("_bucket", count, { le: "+Inf" });
    this.#add("_sum", sum);
    this.#add("_count", count);
  }

  /** All of it. */
  toString(): string {
    return this.#text;
  }

  #add(suffix: string, value: number, labels?: Labels): void {
    let pairs = "";
    for (const name in labels) pairs += `${pairs === "" ? "" : ","}${name}="${escapeLabel(labels[name]!)}"`;
    this.#text += `${this.#name}${suffix}${pairs === "" ? "" : `{${pairs}}`} ${formatValue(value)}\n`;
  }
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value;
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
