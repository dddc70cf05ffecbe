// Writes docs/images/explanations.png, the guide's picture of what an explanation looks like: drawn flowers, whose network comes with
// the package, by three kinds of methods.   node script/explanation-figure.mjs
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import UPNG from "upng-js";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...parts) => join(root, ...parts);
const size = 128;

// Node 20 reads no TypeScript, so the module is bundled in memory first.
const bundle = await build({ entryPoints: [at("src/data/petals.ts")], bundle: true, format: "esm", write: false });
const { petalSpecies, renderPetal } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`
);

function drawFlower(name, folder) {
  const species = petalSpecies.indexOf(name);
  const { data } = renderPetal({ seed: 7, part: "test", index: species, species, size }).image;
  const rgba = Uint8Array.from({ length: 4 * size * size }, (_, i) =>
    i % 4 === 3 ? 255 : data[3 * (i >> 2) + (i % 4)],
  );
  const path = join(folder, `${name}.png`);
  writeFileSync(path, new Uint8Array(UPNG.encode([rgba.buffer], size, size, 0)));
  return path;
}

const folder = mkdtempSync(join(tmpdir(), "tepal-explanation-"));
try {
  const flowers = ["daisy", "rose", "allium"].map((name) => drawFlower(name, folder));
  const options = [
    "--model",
    at("weights/petals"),
    "--method",
    "layercam,ig,occlusion",
    "--layer",
    "block_6_expand_relu",
  ];
  const files = ["--out", join(folder, "maps"), "--sheet", at("docs/images/explanations.png")];
  execFileSync(process.execPath, [at("bin/tepal.mjs"), "explain", ...flowers, ...options, ...files], {
    stdio: "inherit",
  });
} finally {
  rmSync(folder, { recursive: true });
}
