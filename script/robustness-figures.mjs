/**
 * Writes docs/robustness.md and its pictures from the table of families:
 *   node script/robustness-figures.mjs
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { rawText } from "./rawText.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs/robustness");

// Node 20 reads no TypeScript. The bundle lies in the repository, so that it finds the package webgpu.
const bundle = join(root, "dist", `robustness-figures-${process.pid}.mjs`);
await build({
  stdin: {
    contents: `
      export { robustnessFigures as guideFigures, robustnessGuide as guideText } from "./src/cli/robustness/guide.ts";
      export { encodePng } from "./src/data/png.node.ts";
      export { withDevice } from "./src/cli/device.ts";`,
    resolveDir: root,
    loader: "ts",
  },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  external: ["webgpu", "@sparticuz/chromium"],
  plugins: [rawText()],
  outfile: bundle,
  logLevel: "silent",
});
const { encodePng, guideFigures, guideText, withDevice } = await import(pathToFileURL(bundle));
rmSync(bundle);

mkdirSync(folder, { recursive: true });
const figures = await withDevice((device) => guideFigures(device));
for (const [name, image] of figures) writeFileSync(join(folder, `${name}.png`), encodePng(image));
writeFileSync(join(root, "docs/robustness.md"), guideText());
console.log(`docs/robustness.md and ${figures.size} pictures`);
process.exit(0);
