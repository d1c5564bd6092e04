/**
 * One run: measures what was chosen, case by case, and tells it in one of three forms. A table grows while it is
 * measured; the forms for programs come at the end.
 *
 * @module
 */
import type { Case } from "./cases.ts";
import type { ClientCase } from "./client_cases.ts";
import { measureClient } from "./client_measure.ts";
import { clientToCsv, clientToJson, formatClient, formatClientHead, judgeClient } from "./client_report.ts";
import { type CatchUp, type ClusterWrite, inGroups } from "./cluster_cases.ts";
import { measureCatchUp } from "./cluster_catch_up.ts";
import {
  catchUpToCsv,
  clusterToJson,
  formatCatchUp,
  formatCatchUpHead,
  formatWrite,
  formatWritesHead,
  judgeCatchUp,
  judgeWrite,
  writeToCsv,
} from "./cluster_report.ts";
import { measureWrites } from "./cluster_writes.ts";
import { formatFoot, isReached, type Judged } from "./goals.ts";
import type { Machine } from "./machine.ts";
import { measure, type Plan } from "./measure.ts";
import { formatHead, formatJson, formatMachine, formatRow, judge, toCsv, toJson } from "./report.ts";
import { type CsvRow, formatCsv } from "./table.ts";

/** What is to be measured, in this order. */
export interface Chosen {
  readonly cases: readonly Case[];
  readonly clusterWrites: readonly ClusterWrite[];
  readonly catchUps: readonly CatchUp[];
  readonly clients: readonly ClientCase[];
}

/** How it is told. */
export type Form = "table" | "json" | "csv";

/** A result in every form. */
interface Told {
  readonly line: string;
  readonly json: object;
  readonly csv: CsvRow;
  readonly judged: Judged | readonly Judged[] | undefined;
}

/** Measures and prints; resolves with whether all goals were reached. */
export async function run(
  { cases, clusterWrites, catchUps, clients }: Chosen,
  plan: Plan,
  machine: Machine,
  form: Form,
  print: (text: string) => void,
): Promise<boolean> {
  const { seconds, rounds } = plan;
  const told: Told[] = [];
  const show = (text: string): void => {
    if (form === "table") print(text);
  };
  const tell = (result: Told): void => {
    told.push(result);
    show(result.line);
  };
  show(formatMachine(machine));
  if (cases.length > 0) show(formatHead(seconds, rounds));
  for (const one of cases) {
    const result = await measure(one, plan);
    tell({ line: formatRow(result), json: toJson(result), csv: toCsv(result), judged: judge(result) });
  }
  if (clients.length > 0) show(formatClientHead(seconds, rounds));
  for (const one of clients) {
    const result = await measureClient(one, plan);
    const judged = judgeClient(result);
    tell({ line: formatClient(result), json: clientToJson(result), csv: clientToCsv(result), judged });
  }
  if (clusterWrites.length > 0) show(formatWritesHead(seconds, rounds));
  for (const group of inGroups(clusterWrites)) {
    for (const result of await measureWrites(group, plan)) {
      const judged = judgeWrite(result);
      tell({ line: formatWrite(result), json: clusterToJson(result), csv: writeToCsv(result), judged });
    }
  }
  if (catchUps.length > 0) show(formatCatchUpHead(rounds));
  for (const one of catchUps) {
    const result = await measureCatchUp(one, plan);
    const judged = judgeCatchUp(result);
    tell({ line: formatCatchUp(result), json: clusterToJson(result), csv: catchUpToCsv(result), judged });
  }
  const judged = told.flatMap((one) => one.judged ?? []);
  show(formatFoot(judged));
  if (form === "json") print(formatJson(machine, seconds, rounds, told.map(({ json }) => json)));
  if (form === "csv") print(formatCsv(told.map(({ csv }) => csv)));
  return judged.every(isReached);
}
