/**
 * Runs wrk for one round and checks what it says: a round with an answer other than 200, a broken connection or a
 * short answer is no measurement but an error.
 *
 * One thread drives the load: the machine that this was made for has two cores, and the server needs one of them.
 *
 * @module
 */
import { type Case, caseName } from "./cases.ts";

/** What one round measured. */
export interface Round {
  readonly requestsPerSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  /** Share of one processor that wrk itself took: near 1, the figure is wrk's and not the server's. */
  readonly wrkBusy: number;
}

/** The JSON line that `load.lua` ends with. */
interface Summary {
  readonly requests: number;
  readonly bytes: number;
  readonly micros: number;
  readonly failed: number;
  readonly broken: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly wrkSeconds: number;
}

const SCRIPT = new URL("./load.lua", import.meta.url).pathname;

/**
 * One round against one server.
 *
 * @param url where it listens
 * @param measured kind, size and connections
 * @param load arguments of `load.lua`
 * @param seconds how long
 */
export async function runWrk(
  url: string,
  measured: Case,
  load: readonly string[],
  seconds: number,
): Promise<{ round: Round; requests: number }> {
  const options = ["-t1", `-c${measured.connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", SCRIPT];
  const command = new Deno.Command("wrk", { args: [...options, url, "--", ...load] });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`wrk ended with an error: ${text}${new TextDecoder().decode(stderr)}`);
  const summary = parse(text, measured);
  const round = {
    requestsPerSecond: summary.requests / (summary.micros / 1e6),
    p50Micros: summary.p50Micros,
    p99Micros: summary.p99Micros,
    wrkBusy: summary.wrkSeconds / (summary.micros / 1e6),
  };
  return { round, requests: summary.requests };
}

/** The summary of wrk's output; throws where it tells of anything but answers of 200 in full. */
export function parse(output: string, measured: Case): Summary {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  if (!last.startsWith("{")) throw new Error(`wrk: no summary in its output: ${output}`);
  const summary: Summary = JSON.parse(last);
  const round = `${caseName(measured)}: ${summary.requests} requests`;
  if (summary.requests === 0) throw new Error(`${round}: nothing was answered`);
  if (summary.failed > 0) throw new Error(`${round}: ${summary.failed} answers were errors`);
  if (summary.broken > 0) throw new Error(`${round}: ${summary.broken} connections broke or timed out`);
  if (measured.kind === "read" && summary.bytes < summary.requests * measured.bytes) {
    throw new Error(`${round}: ${summary.bytes} bytes came, fewer than asked for`);
  }
  return summary;
}
