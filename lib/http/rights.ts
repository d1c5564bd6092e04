/**
 * Who may do what: rights, what they are needed for, and the answers to those who lack them. Pure.
 *
 * | right   | allows, in the categories that the token's patterns stand for                            |
 * | ------- | ---------------------------------------------------------------------------------------- |
 * | `read`  | `/read`, `/tail`, `/listChunks`, `/ack`, `/consume`, `/lease`, `/seek`, `/consumers`;    |
 * |         | `/listCategories`, and `/consumers` without a category, tell these categories alone      |
 * | `write` | `/write`                                                                                 |
 * | `admin` | `/status`, `/metrics`, and the reasons of `/readyz`; it is the same for all categories   |
 *
 * No right contains another one. `/ack` deletes a chunk for everybody and asks for `read` all the same: saying what is
 * done with is part of reading here, and a reader that may not do so would fill every disk. Whoever must not delete is
 * to be given a copy, or a node's files.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { matchesCategory } from "../protocol/category_pattern.ts";

/** What a token can be allowed. */
export const RIGHTS = ["read", "write", "admin"] as const;
/** One of them. */
export type Right = typeof RIGHTS[number];

/**
 * What a route asks of its callers. `open`: nothing. `listed`: the right to read anything; what is told is cut down to
 * it. `cluster`: to be a node of the cluster. The others: that right, on the category that the request names, if there
 * is one.
 */
export type Access = "open" | "read" | "write" | "listed" | "admin" | "cluster";

/** What one token is allowed. */
export interface Grant {
  /** For messages and logs: whose token it is. */
  readonly name: string;
  readonly rights: readonly Right[];
  /** Patterns of categories, as in `lib/protocol/category_pattern.ts`. */
  readonly categories: readonly string[];
}

/** Whether a grant has a right; on one category, if it is given. */
export function allows({ rights, categories }: Grant, right: Right, category?: string): boolean {
  return rights.includes(right) &&
    (category === undefined || right === "admin" ||
      categories.some((pattern) => matchesCategory(pattern, category)));
}

/** Who calls, as handlers see it. */
export interface Caller {
  /** Whether it has a right; on one category, if it is given. By the tokens that are in force when this is asked. */
  may(right: Right, category?: string): boolean;
}

/** The caller of a node that asks for no tokens. */
export const ANYBODY: Caller = { may: () => true };
/** A caller that has shown no token, where none is needed. */
export const STRANGER: Caller = { may: () => false };

/** What a caller without a known token is told. */
export function unauthenticated(path: string, reason: string): ChukchaError {
  return new ChukchaError("unauthenticated", `${path}: ${reason}`);
}

/** What a known caller is told that lacks a right. */
export function forbidden(path: string, { name }: Grant, right: Right, category?: string): ChukchaError {
  const where = category === undefined ? "" : ` on the category ${quote(category)}`;
  return new ChukchaError(
    "forbidden",
    `${path}: the token of ${quote(name)} lacks the right ${right}${where}`,
  );
}
