/**
 * Everybody that is measured.
 *
 * RabbitMQ's streams are missing: Debian's server (3.10) starts, but answers the stream client of today with a frame
 * that this one does not know.
 *
 * @module
 */
import { chukcha } from "./chukcha.ts";
import type { Contender } from "./contender.ts";
import { device } from "./device.ts";
import { nats } from "./nats.ts";
import { redis } from "./redis.ts";

/** In the order of the table; the first is compared with the others. */
export const CONTENDERS: readonly Contender[] = [chukcha, redis, nats, device];
