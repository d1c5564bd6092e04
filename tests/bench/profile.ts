/**
 * Says where the time of a profile went: `deno run -A tests/bench/profile.ts FILE.cpuprofile [ROWS]`.
 *
 * A profile is what `deno run --cpu-prof --cpu-prof-dir=DIR main.ts serve …` leaves when it ends. Shares are of the time
 * in which V8 was busy: what the runtime does outside of it (sockets, HTTP, timers) counts as idle, like waiting does.
 *
 * @module
 */

/** One function, where it was called from. */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** As V8 writes it; microseconds. */
export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function's own time. */
export interface ProfileRow {
  readonly name: string;
  readonly place: string;
  readonly micros: number;
}

const IDLE = "(idle)";

/** Each function's own time without that of what it calls, the longest first; idle time is left out. */
export function ownTimes({ nodes, samples, timeDeltas }: Profile): ProfileRow[] {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const rows = new Map<string, { name: string; place: string; micros: number }>();
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id)!;
    if (functionName === IDLE) return;
    const name = functionName || "(anonymous)";
    const place = placeOf(url, lineNumber);
    const row = rows.get(`${name} ${place}`) ?? { name, place, micros: 0 };
    rows.set(`${name} ${place}`, row);
    row.micros += timeDeltas[i]!;
  });
  return [...rows.values()].sort((a, b) => b.micros - a.micros);
}

/** Lines for people: the first `count` rows, and what all others come to. */
export function profileReport(rows: readonly ProfileRow[], count: number): string {
  const total = rows.reduce((sum, { micros }) => sum + micros, 0);
  const share = (micros: number) => `${(100 * micros / total).toFixed(1).padStart(5)} %`;
  const rest = rows.slice(count);
  const lines = rows.slice(0, count).map(({ name, place, micros }) => `${share(micros)}  ${name}  ${place}`);
  if (rest.length > 0) {
    lines.push(`${share(rest.reduce((sum, { micros }) => sum + micros, 0))}  ${rest.length} others`);
  }
  return lines.join("\n");
}

/** The file below the project, or the runtime's own; nothing for what is in neither. */
function placeOf(url: string, line: number): string {
  if (url === "") return "";
  const own = /\/(lib|tests)\/.*/.exec(url);
  return `${own ? own[0].slice(1) : url.replace(/^.*\//, "")}:${line + 1}`;
}

if (import.meta.main) {
  const [file, rows = "20"] = Deno.args;
  if (!file) throw new Error("usage: profile.ts FILE.cpuprofile [ROWS]");
  const profile: Profile = JSON.parse(await Deno.readTextFile(file));
  Deno.stdout.writeSync(new TextEncoder().encode(`${profileReport(ownTimes(profile), Number(rows))}\n`));
}
