/**
 * The work that is measured side by side, and the goals: what Chukcha must reach beside the others, in one run.
 *
 * @module
 */
import type { Durability } from "./contender.ts";

/** What a figure is. */
export interface Figure {
  /** As in tables, and by which `--only` chooses. */
  readonly name: string;
  readonly unit: "messages/s" | "ms" | "MiB";
  /** Whether more is better. */
  readonly more: boolean;
  /** What must come out; of the figures of all that have one. */
  readonly goal?: Goal;
}

/** A bound on Chukcha's figure by that of others. */
export interface Goal {
  /** Times the best of the others, or of the one that is named. */
  readonly factor: number;
  readonly of?: string;
}

/** One server's life: what is done with it, in this order. */
export type Work =
  | { readonly kind: "stream"; readonly durability: Durability; readonly messages: number }
  | { readonly kind: "singles"; readonly durability: Durability; readonly connections: number };

/** Size of each message. */
export const MESSAGE_BYTES = 100;
/** What is sent at a fixed pace to measure how long a message takes. */
export const LATENCY_MESSAGES = 1_000;
/** Five hundred a second: no system has anything to do but to pass it on. */
export const LATENCY_INTERVAL_MS = 2;

/** The same messages as those synced by 64 connections, beside what a program does that syncs each of them by itself. */
export const SYNCS = "singles x64, one sync each";

/** Figures by their names. */
export const FIGURES: readonly Figure[] = [
  { name: "ingest, batched", unit: "messages/s", more: true, goal: { factor: 5 } },
  { name: "read back", unit: "messages/s", more: true, goal: { factor: 3 } },
  { name: "publish to follow p50", unit: "ms", more: false },
  { name: "publish to follow p99", unit: "ms", more: false, goal: { factor: 1, of: "NATS" } },
  { name: "publish to consume p50", unit: "ms", more: false },
  { name: "publish to consume p99", unit: "ms", more: false, goal: { factor: 1, of: "NATS" } },
  { name: "memory afterwards", unit: "MiB", more: false },
  { name: "size on disk", unit: "MiB", more: false },
  { name: "singles x8", unit: "messages/s", more: true, goal: { factor: 0.9, of: "Redis" } },
  { name: "singles x64", unit: "messages/s", more: true },
  { name: "ingest, batched, synced", unit: "messages/s", more: true },
  { name: "singles x8, synced", unit: "messages/s", more: true },
  { name: "singles x64, synced", unit: "messages/s", more: true, goal: { factor: 1 } },
  { name: SYNCS, unit: "messages/s", more: true, goal: { factor: 20, of: "fdatasync" } },
];

/** All work, with `messages` to ingest; of synced ones, which take as long by the batch, a tenth. */
export function worksOf(messages: number): readonly Work[] {
  return [
    { kind: "stream", durability: "process", messages },
    { kind: "singles", durability: "process", connections: 8 },
    { kind: "singles", durability: "process", connections: 64 },
    { kind: "stream", durability: "sync", messages: Math.ceil(messages / 10) },
    { kind: "singles", durability: "sync", connections: 8 },
    { kind: "singles", durability: "sync", connections: 64 },
  ];
}

/** Names of the figures that come of a piece of work. */
export function figuresOf(work: Work): readonly string[] {
  const synced = work.durability === "sync" ? ", synced" : "";
  if (work.kind === "singles") {
    const figure = `singles x${work.connections}${synced}`;
    return synced && work.connections === 64 ? [figure, SYNCS] : [figure];
  }
  if (work.durability === "sync") return [`ingest, batched${synced}`];
  return FIGURES.slice(0, 8).map(({ name }) => name);
}
