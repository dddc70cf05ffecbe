import { describe, expect, it } from "vitest";
import { isInternalAddress } from "../../src/data/pullHttp.node.ts";
import { datasetFiles, type KnownFile, weightFiles } from "../../src/data/pullManifest.ts";
import {
  backoff,
  checkedUrl,
  expectationOf,
  parseContentRange,
  redirectTarget,
  validatorOf,
} from "../../src/data/pullPolicy.ts";

const secure = new URL("https://example.org/a/file");

describe("redirects", () => {
  it("never leave https", () => {
    expect(() => redirectTarget(secure, "http://example.org/a/file", 0)).toThrow(/stay on https/);
    expect(redirectTarget(new URL("http://example.org/"), "https://example.org/b", 0).href).toBe(
      "https://example.org/b",
    );
  });

  it("may be relative, and are counted", () => {
    expect(redirectTarget(secure, "../b?c", 4).href).toBe("https://example.org/b?c");
    expect(redirectTarget(secure, "//example.net/b", 4).href).toBe("https://example.net/b");
    expect(() => redirectTarget(secure, "b", 5)).toThrow(/at most 5/);
  });

  it("do not show the query, which may hold a key", () => {
    expect(() => redirectTarget(new URL("https://example.org/f?key=abc"), undefined, 0)).toThrow(/org\/f: [^?]*$/);
  });

  it.each(["file:///x", "javascript:1", "ws://x/", "x"])("and addresses like %s are refused", (text) => {
    expect(() => checkedUrl(text)).toThrow(/expected an http or https address/);
  });
});

describe("addresses", () => {
  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.19.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "ff02::1",
  ])("%s is inside", (address) => expect(isInternalAddress(address)).toBe(true));

  it.each(["8.8.8.8", "172.32.0.1", "192.0.2.1", "11.0.0.0", "2606:4700::1111", "::ffff:8.8.8.8"])(
    "%s is outside",
    (address) => expect(isInternalAddress(address)).toBe(false),
  );
});

describe("a range", () => {
  it.each([
    ["bytes 5-9/10", { start: 5, total: 10 }],
    ["bytes 5-9/*", { start: 5, total: null }],
    ["bytes 9-5/10", null],
    ["bytes */10", null],
    ["items 5-9/10", null],
    [undefined, null],
  ])("%s is read as %j", (text, range) => expect(parseContentRange(text)).toEqual(range));

  it("is asked for with a strong ETag, else with the date, else not", () => {
    const state = { url: "", total: 1, etag: '"x"', lastModified: "date" };
    expect(validatorOf(state)).toBe('"x"');
    expect(validatorOf({ ...state, etag: 'W/"x"' })).toBe("date");
    expect(validatorOf({ ...state, etag: null })).toBe("date");
    expect(validatorOf({ ...state, etag: 'W/"x"', lastModified: null })).toBe(null);
  });

  it("is asked for later and later", () => {
    expect([1, 2, 3, 4, 10].map((failures) => backoff(failures, 1000))).toEqual([1000, 2000, 4000, 8000, 30_000]);
  });
});

describe("the hash that counts", () => {
  const [sha256, stated, recorded] = ["a", "b", "c"];
  const file = (hashesBy?: KnownFile["hashesBy"]): KnownFile => ({ name: "f", url: "", maxBytes: 1, sha256, hashesBy });
  const place = { recordedIn: "f.sha256", official: true };

  it("is the stated one, then the recorded one, then the known one, then its own", () => {
    expect(expectationOf(file("the publisher"), { ...place, stated, recorded }).sha256).toBe(stated);
    expect(expectationOf(file("the publisher"), { ...place, recorded }).sha256).toBe(recorded);
    expect(expectationOf(file("the publisher"), place).sha256).toBe(sha256);
    expect(expectationOf({ ...file(), sha256: undefined }, place)).toMatchObject({ by: "first use" });
  });

  it("binds a mirror only where it is the publisher's", () => {
    const mirror = { ...place, official: false };
    expect(expectationOf(file("the publisher"), mirror).sha256).toBe(sha256);
    expect(expectationOf(file("TensorFlow Datasets"), place).sha256).toBe(sha256);
    expect(expectationOf(file("TensorFlow Datasets"), mirror).sha256).toBe(undefined);
  });
});

describe("the manifest", () => {
  const files: KnownFile[] = [...Object.values(datasetFiles).flat(), ...Object.values(weightFiles)];

  it.each(files.map((file) => [file.name, file] as const))("describes %s", (name, file) => {
    expect(file.url).toMatch(/^https:\/\//);
    expect(file.url.endsWith(`/${name}`)).toBe(true);
    expect(file.bytes ?? 1).toBeLessThanOrEqual(file.maxBytes);
    expect(file.sha256 ?? "0".repeat(64)).toMatch(/^[\da-f]{64}$/);
    expect(file.md5 ?? "0".repeat(32)).toMatch(/^[\da-f]{32}$/);
    expect(file.hashesBy !== undefined).toBe(file.sha256 !== undefined);
  });
});
