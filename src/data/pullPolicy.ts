/** What a download may do: where it may be sent, when it may go on, and which hash its file must have. Decides, never connects. */
import { FileError } from "../engine/errors.ts";
import type { KnownFile } from "./pullManifest.ts";

export const MAX_REDIRECTS = 5;

/** A failure that another try may not meet: a cut, a stall, a server that is busy. */
export class TransientError extends FileError {}

/** An address as a message may show it: queries of mirrors may hold keys. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`;

/**
 * An address that may be asked.
 * @throws FileError for anything but http and https, and for addresses that carry a password.
 */
export function checkedUrl(text: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch (cause) {
    throw new FileError(`expected an http or https address, found "${text}"; check it`, { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new FileError(`expected an http or https address, found "${url.protocol}"; use another mirror`);
  if (url.username || url.password)
    throw new FileError(`expected an address without a user or password, found one for ${url.host}; leave it out`);
  return url;
}

/**
 * Where a redirect leads.
 * @param hops redirects followed so far
 * @throws FileError beyond `MAX_REDIRECTS`, without a target, and where it would leave https or http.
 */
export function redirectTarget(from: URL, location: string | undefined, hops: number): URL {
  if (hops >= MAX_REDIRECTS)
    throw new FileError(
      `${shown(from)}: expected at most ${MAX_REDIRECTS} redirects, found more; use another mirror with --from`,
    );
  if (!location) throw new FileError(`${shown(from)}: expected a redirect to name its target, found none`);
  const target = checkedUrl(location, from);
  if (from.protocol === "https:" && target.protocol === "http:")
    throw new FileError(
      `${shown(from)}: expected a redirect to stay on https, found ${shown(target)}; use another mirror with --from`,
    );
  return target;
}

/** `bytes 5-9/10` (RFC 9110, 14.4); total is null where the server does not know it; null where it is none. */
export function parseContentRange(text: string | undefined): { start: number; total: number | null } | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text ?? "");
  if (!match || Number(match[2]) < Number(match[1])) return null;
  return { start: Number(match[1]), total: match[3] === "*" ? null : Number(match[3]) };
}

/** What is kept beside a partial file, so that a later try knows whether the server still has the same one. */
export interface PartState {
  readonly url: string;
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** Bytes of the whole file, null where the server did not say. */
  readonly total: number | null;
}

/** What `If-Range` may hold: a strong ETag, else the date (RFC 9110, 13.1.5); null: begin again. */
export function validatorOf(state: PartState): string | null {
  if (state.etag && !state.etag.startsWith("W/")) return state.etag;
  return state.lastModified;
}

/** Milliseconds to wait before try number `failures` + 1: doubling, at most 30 s. */
export const backoff = (failures: number, first: number): number => Math.min(30_000, first * 2 ** (failures - 1));

/** What a finished file is held against; without hashes its own is recorded. */
export interface Expectation {
  readonly sha256?: string;
  readonly md5?: string;
  /** Whose word it is, for messages. */
  readonly by: string;
  /** How to go on after a mismatch. */
  readonly remedy: string;
}

/**
 * The hash that counts: what the user states, else what was recorded at first use, else the manifest's. From a mirror
 * only a publisher's own hashes are binding; those that others list hold for the official address.
 */
export function expectationOf(
  file: KnownFile,
  given: {
    readonly stated?: string;
    readonly recorded?: string;
    readonly recordedIn: string;
    readonly official: boolean;
  },
): Expectation {
  const { stated, recorded, recordedIn, official } = given;
  if (stated) return { sha256: stated, by: "--sha256", remedy: "check the hash, or use another mirror" };
  if (recorded) return { sha256: recorded, by: recordedIn, remedy: `if the change is wanted, remove ${recordedIn}` };
  if (file.hashesBy && (official || file.hashesBy === "the publisher")) {
    const remedy = "use another mirror, or state the hash that you want with --sha256";
    return { sha256: file.sha256, md5: file.md5, by: file.hashesBy, remedy };
  }
  return { by: "first use", remedy: "" };
}
