/**
 * Ids as `withEventId` gives them, made from a time and a number, so that a test knows them beforehand.
 *
 * @module
 */

/** The UUIDv7 of this number at this time. */
export function eventId(number: number, ms = Date.UTC(2026, 0, 1)): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, "0")}`;
}
