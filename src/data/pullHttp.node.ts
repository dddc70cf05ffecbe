/** One request of a download, with its redirects. The only file of the program that opens a connection. */
import { lookup } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { FileError } from "../engine/errors.ts";
import { redirectTarget, shown, TransientError } from "./pullPolicy.ts";

/** Loopback, private, link-local, shared, multicast and reserved addresses (IANA's special-purpose registries). */
const internal = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  internal.addSubnet(network, bits, "ipv4");
  internal.addSubnet(`::ffff:${network}`, 96 + bits, "ipv6");
}
for (const [network, bits] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  internal.addSubnet(network, bits, "ipv6");

/** True for an address that is not on the public internet. */
export const isInternalAddress = (address: string): boolean =>
  internal.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

function refuse(host: string, address: string): FileError {
  return new FileError(
    `${host}: expected a public address, found ${address}; name that host with --from if it is meant`,
  );
}

/** Looks a name up and refuses it where it leads inside: at the time of connecting, so that no second answer can differ. */
const publicLookup: LookupFunction = (host, options, callback) => {
  lookup(host, options, (error, found, family) => {
    if (error) return callback(error, found, family);
    const addresses = typeof found === "string" ? [found] : (found as { address: string }[]).map((one) => one.address);
    const inside = addresses.find(isInternalAddress);
    if (inside !== undefined) return callback(refuse(host, inside), "", 0);
    callback(null, found, family);
  });
};

export interface DownloadRequest {
  readonly url: URL;
  /** The host that the user named, which may be inside the local network. */
  readonly trustedHost: string | null;
  /** First byte to ask for. */
  readonly offset: number;
  /** For `If-Range`; the range is asked for only while the file is still this one. */
  readonly validator: string | null;
  readonly signal: AbortSignal;
}

/** System errors that another try may not meet. */
const passing = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** A failed connection as one of our errors; those that another try may mend are transient. */
export function connectionError(url: URL, cause: unknown): Error {
  if (cause instanceof FileError) return cause;
  const { code = "an error", message, syscall, path } = cause as NodeJS.ErrnoException;
  if (path !== undefined || (syscall === "write" && !passing.has(code)))
    return new FileError(`expected to write what comes, found ${code}; free some space or use another --out`, {
      cause,
    });
  const text = `${shown(url)}: expected a connection, found ${code === "ENOTFOUND" ? "no such host" : code}`;
  if (passing.has(code) || code.startsWith("HPE_")) return new TransientError(`${text}; try again`, { cause });
  return new FileError(`${text} (${message}); check the address or use a mirror with --from`, { cause });
}

function ask(url: URL, { trustedHost, offset, validator, signal }: DownloadRequest): Promise<IncomingMessage> {
  const host = hostOf(url);
  const trusted = host === trustedHost;
  if (!trusted && isIP(host) && isInternalAddress(host)) throw refuse(host, host);
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "tepal" };
  if (offset > 0 && validator) Object.assign(headers, { range: `bytes=${offset}-`, "if-range": validator });
  const options = { headers, signal, agent: false, ...(trusted ? {} : { lookup: publicLookup }) } as const;
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    send(url, options, resolve)
      .on("error", (error) => reject(connectionError(url, error)))
      .end();
  });
}

/**
 * The first answer that is no redirect, its body not yet read.
 * @throws FileError for redirects that are not allowed and addresses that are not public; TransientError for cuts.
 */
export async function openDownload(request: DownloadRequest): Promise<{ response: IncomingMessage; url: URL }> {
  let url = request.url;
  for (let hops = 0; ; hops++) {
    const response = await ask(url, request);
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0)) return { response, url };
    response.on("error", () => {}).destroy();
    url = redirectTarget(url, response.headers.location, hops);
  }
}
