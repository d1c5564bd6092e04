/**
 * What log shippers make of a status: their rules, as far as they are fixed. `docs/shippers.md` has them for people.
 *
 * @module
 */

/** What a shipper does with a batch that was answered so. */
export type Reaction =
  /** Sends it again, later, as often as its settings of `docs/shippers.md` allow: without end. */
  | "retry"
  /** Throws it away. */
  | "drop"
  /** Sends it again without end, although it can never succeed: nothing behind it gets through. */
  | "block";

/** One shipper's rule, for statuses that are not 2xx. */
export type Rule = (status: number) => Reaction;

const among = (...statuses: readonly number[]): Rule => (status) =>
  statuses.includes(status) ? "retry" : "drop";

/** As the programs behave with the settings of `docs/shippers.md`. */
export const RULES: Readonly<Record<string, Rule>> = {
  "Vector": (status) =>
    status === 408 || status === 429 || (status >= 500 && status !== 501) ? "retry" : "drop",
  "Fluent Bit": (status) => status === 408 || status === 429 || status >= 500 ? "retry" : "drop",
  // Seen with 3.38.1: whatever is 4xx is tried again, 410 and 422 apart; 504 three times.
  "syslog-ng": (status) => {
    if (status === 410 || status === 422 || status === 504) return "drop";
    return status >= 500 ? "retry" : "block";
  },
  "rsyslog omhttp": (status) => status === 429 || status >= 500 ? "retry" : "drop",
  "Logstash": among(429, 500, 502, 503, 504),
  "Fluentd": among(503),
  "OpenTelemetry collector": among(429, 502, 503, 504),
  "curl --retry": among(408, 429, 500, 502, 503, 504),
};
