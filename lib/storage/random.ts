/**
 * Randomness, as storage and replication see it.
 *
 * One of the four seams (`Clock`, `Random`, `Disk`, `Peer`): a simulated world passes a seeded one.
 *
 * @module
 */

/** Where unpredictable values come from. */
export interface Random {
  /** A number in [0, 1): for jitter. */
  number(): number;
  /** A name that no other process will ever make: 32 hexadecimal digits. */
  id(): string;
}

/** The machine's randomness. */
export class SystemRandom implements Random {
  number(): number {
    return Math.random();
  }

  id(): string {
    return crypto.randomUUID().replaceAll("-", "");
  }
}
