#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

// In a source checkout the program is never older than its sources; the published package has no src/.
if (existsSync(path("src")) && existsSync(path("script/build.mjs"))) {
  try {
    const { buildIfStale } = await import("../script/build.mjs");
    await buildIfStale();
  } catch (error) {
    const first = error.errors?.[0];
    const place = first?.location ? `${first.location.file}:${first.location.line}:${first.location.column}: ` : "";
    const reason = first ? place + first.text : String(error.message).split("\n")[0];
    process.stderr.write(`tepal: the sources cannot be built: ${reason}; run "npm ci", then "npm run build"\n`);
    process.exit(1);
  }
}

if (!existsSync(path("dist/cli.js"))) {
  process.stderr.write('tepal: expected dist/cli.js, found none; run "npm run build" or install the package again\n');
  process.exit(1);
}

const { version } = JSON.parse(readFileSync(path("package.json"), "utf8"));
const { main } = await import("../dist/cli.js");
await main(process.argv.slice(2), version);
