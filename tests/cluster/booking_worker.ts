/**
 * A worker of the recipe for PostgreSQL, as a program: arguments are the servers (with commas), the directory of
 * PostgreSQL's socket, the name of the worker, and in how many of a hundred cases it dies between commit and ack.
 *
 * It says what it was handed out before it does anything with it, and how many of that were new.
 *
 * @module
 */
import postgres from "postgres";
import { apply, type Payment } from "../../docs/recipes/postgresql.ts";
import { connect } from "../../lib/client/mod.ts";
import { report } from "../support/report.ts";

/** So small that there are many batches to die with. */
const BATCH_BYTES = 128 * 1024;
/** What a dead worker held is handed out again after this time. */
const LEASE_MS = 3_000;

const [servers = "", host = "", worker = "", diesPercent = "0"] = Deno.args;
const sql = postgres({ host, database: "postgres", username: "chukcha", max: 1, onnotice: () => {} });
const chukcha = connect({ servers: servers.split(",") });
const consumer = chukcha.consumer("payments", {
  name: "booking",
  worker,
  maxBytes: BATCH_BYTES,
  leaseMs: LEASE_MS,
});
for await (const batch of consumer) {
  const payments = [...batch.json<Payment>()];
  report(`delivered ${payments.length}`);
  report(`fresh ${await apply(sql, payments)}`);
  if (100 * Math.random() < Number(diesPercent)) Deno.kill(Deno.pid, "SIGKILL");
  await batch.ack();
}
