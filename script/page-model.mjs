// Makes the model of the page again: a head for the drawn flowers on the embedded backbone, stored as float16.
//   node script/page-model.mjs [FOLDER]
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = resolve(process.argv[2] ?? join(root, "weights/petals"));
const trained = mkdtempSync(join(tmpdir(), "tepal-page-model-"));
const tepal = (...args) =>
  execFileSync(process.execPath, [join(root, "bin/tepal.mjs"), ...args], { stdio: ["ignore", "inherit", "inherit"] });

tepal("train", "--data", "petals", "--size", "96", "--epochs", "20", "--seed", "1", "--out", trained);
mkdirSync(target, { recursive: true });
const weights = join(target, "model.safetensors");
tepal("weights", "convert", join(trained, "model.safetensors"), weights, "--dtype", "float16");
// Which drawings were trained on follows from the seed, and would be most of what the page loads besides the weights.
const { splits, ...manifest } = JSON.parse(readFileSync(join(trained, "model.json"), "utf8"));
const weightsSha256 = createHash("sha256").update(readFileSync(weights)).digest("hex");
writeFileSync(join(target, "model.json"), `${JSON.stringify({ ...manifest, weightsSha256 }, null, 2)}\n`);
rmSync(trained, { recursive: true });
console.log(`${target}: trained on ${splits.train.length} drawings, chosen on ${splits.validation.length}`);
