/**
 * Takes the JSON of a node's answers, and refuses what only looks like it: a proxy's login page, another service.
 *
 * @module
 */
import type { ChunkInfo, ConsumerInfo, NodeStatus, WriteResult } from "../protocol/types.ts";
import { ForeignAnswer } from "./transport.ts";

type Fields = Readonly<Record<string, unknown>>;

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ForeignAnswer("the answer is not JSON", response.status);
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isBytes = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** Takes the answer of `/write`. */
export async function takeWriteResult(response: Response): Promise<WriteResult> {
  const value = await json(response);
  if (isObject(value) && typeof value.chunk === "string" && isBytes(value.offset) && isBytes(value.size)) {
    return value as unknown as WriteResult;
  }
  throw new ForeignAnswer("the answer is not {chunk, offset, size}", response.status);
}

/** Takes the answer of `/listChunks`. */
export async function takeChunks(response: Response): Promise<ChunkInfo[]> {
  const value = await json(response);
  const isChunk = (item: unknown) =>
    isObject(item) && typeof item.name === "string" && typeof item.complete === "boolean" &&
    isBytes(item.size);
  if (Array.isArray(value) && value.every(isChunk)) return value;
  throw new ForeignAnswer("the answer is not a list of chunks", response.status);
}

/** Takes the answer of `/listCategories`. */
export async function takeCategories(response: Response): Promise<string[]> {
  const value = await json(response);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new ForeignAnswer("the answer is not a list of names", response.status);
}

/** Takes the answer of `/status`. */
export async function takeStatus(response: Response): Promise<NodeStatus> {
  const value = await json(response);
  if (
    isObject(value) && typeof value.instance === "string" && typeof value.healthy === "boolean" &&
    Array.isArray(value.checks) && Array.isArray(value.peers)
  ) {
    return value as unknown as NodeStatus;
  }
  throw new ForeignAnswer("the answer is not a node's status", response.status);
}

/** Takes the answer of `/consumers`. */
export async function takeConsumers(response: Response): Promise<ConsumerInfo[]> {
  const value = await json(response);
  if (Array.isArray(value) && value.every(isConsumer)) return value;
  throw new ForeignAnswer("the answer is not a list of consumers", response.status);
}

/** Takes the answer of `/seek`. */
export async function takeConsumer(response: Response): Promise<ConsumerInfo> {
  const value = await json(response);
  if (isConsumer(value)) return value;
  throw new ForeignAnswer("the answer is not a consumer", response.status);
}

/** Reads an answer to its end, so that its connection is free for the next request. */
export async function discard(response: Response): Promise<void> {
  await response.arrayBuffer();
}

function isConsumer(value: unknown): value is ConsumerInfo {
  return isObject(value) && typeof value.category === "string" && typeof value.consumer === "string" &&
    isBytes(value.epoch) && isBytes(value.lag_bytes) && Array.isArray(value.positions);
}
