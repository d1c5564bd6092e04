/**
 * Certificates as they stand in files: what can be served, what is trusted, and how long the former lasts.
 *
 * Owns: the judgement before anything is put into force, since the runtime would take a file without any certificate
 * for a list of trusted ones.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { CERTIFICATE_LEFT_MS_MIN } from "../protocol/limits.ts";
import type { HealthCheck } from "../protocol/types.ts";

/** What TLS is served with. */
export interface ServerCertificate {
  /** PEM: the certificate, and those between it and the authority. */
  readonly cert: string;
  /** PEM of its key. */
  readonly key: string;
  /** For people: whose it is. */
  readonly subject: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresMs: number;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const DAY_MS = 86_400_000;

/** A certificate with its key; throws what is wrong with them, in words that contain neither. */
export function parseServerCertificate(cert: string, key: string): ServerCertificate {
  const [leaf] = certificatesOf(cert);
  if (!leaf) throw new Error("no certificate in it: PEM is expected, with -----BEGIN CERTIFICATE-----");
  const privateKey = parseKey(key);
  if (!leaf.checkPrivateKey(privateKey)) throw new Error("the key is not that of the certificate");
  const names = (leaf.subjectAltName ?? leaf.subject.replaceAll("\n", ", ")).replaceAll("IP Address:", "")
    .replaceAll("DNS:", "");
  return { cert, key, subject: names, expiresMs: new Date(leaf.validTo).getTime() };
}

function parseKey(key: string): KeyObject {
  if (/-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(key)) {
    throw new Error(
      "the key is encrypted, and there is nobody to ask for its password: store it without one",
    );
  }
  try {
    return createPrivateKey(key);
  } catch {
    // The library's own words would only be about its decoders.
    throw new Error("the key cannot be read: PEM is expected, with -----BEGIN PRIVATE KEY-----");
  }
}

/** The certificates of authorities to trust, one PEM each; throws if there is none. */
export function parseAuthorities(text: string): readonly string[] {
  if (certificatesOf(text).length > 0) return Array.from(text.matchAll(CERTIFICATE), ([pem]) => `${pem}\n`);
  throw new Error("no certificate in it: PEM is expected, with -----BEGIN CERTIFICATE-----");
}

function certificatesOf(text: string): X509Certificate[] {
  return Array.from(text.matchAll(CERTIFICATE), ([pem], i) => {
    try {
      return new X509Certificate(pem);
    } catch {
      throw new Error(`certificate ${i + 1} in it is damaged`);
    }
  });
}

/** Whether a certificate lasts long enough to be replaced in peace. */
export function checkCertificate({ subject, expiresMs }: ServerCertificate, nowMs: number): HealthCheck {
  const leftMs = expiresMs - nowMs;
  const day = new Date(expiresMs).toISOString().slice(0, 10);
  const days = Math.floor(Math.abs(leftMs) / DAY_MS);
  const counted = `${days} ${days === 1 ? "day" : "days"}`;
  const ok = leftMs >= CERTIFICATE_LEFT_MS_MIN;
  const lasts = leftMs < 0
    ? `expired ${counted} ago, on ${day}; clients refuse it`
    : `expires in ${counted}, on ${day}`;
  const advice = ok ? "" : ": put a new one into the files of --tls-cert and --tls-key, which are read again";
  return { name: "certificate", ok, message: `the certificate for ${subject} ${lasts}${advice}` };
}
