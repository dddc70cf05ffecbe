/** Pulls one file; bundled and started by the test that kills it. */
import { pullFile } from "../../src/data/pull.node.ts";

const [path, from, sha256] = process.argv.slice(2);
const file = { name: "file.bin", url: "https://example.invalid/file.bin", maxBytes: 10_000_000 };
await pullFile(sha256 ? { ...file, sha256, hashesBy: "the publisher" } : file, path, { from });
