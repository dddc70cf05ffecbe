import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = new URL("..", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

it("README's example runs as it is printed", () => {
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  const lines = example.trim().split("\n").filter(Boolean);
  expect(lines.length).toBeLessThanOrEqual(15);
  execFileSync("node", [fileURLToPath(new URL("script/build.mjs", root))], { stdio: "pipe" });
  // Inside the package, so that its own name resolves to dist as it would from node_modules.
  const file = fileURLToPath(new URL(".cache/readme-example.mjs", root));
  mkdirSync(fileURLToPath(new URL(".cache", root)), { recursive: true });
  writeFileSync(file, example);
  try {
    const output = execFileSync("node", [file], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    expect(output).toMatch(/\d+ dispatches/);
    expect(output).toContain("features");
    expect(output).toMatch(/Float32Array\(16\).*6144 4096/s);
  } finally {
    rmSync(file);
  }
});
