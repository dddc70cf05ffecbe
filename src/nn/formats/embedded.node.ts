import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FileError } from "../../engine/errors.ts";

/** What `--weights` calls the backbone that comes with the package. */
export const EMBEDDED = "embedded";

const FILE = "mobilenet-v2-0.35-96.safetensors";

/** Where `weights/` lies as seen from a bundle in `dist/`, and from this file. */
const FOLDERS = ["../weights", "../../../weights"];

/**
 * The path of the embedded backbone: MobileNetV2 0.35 without a head, float16; see `weights/README.md`.
 * @throws FileError when the package is not complete.
 */
export function embeddedWeights(): string {
  const paths = FOLDERS.map((folder) => fileURLToPath(new URL(`${folder}/${FILE}`, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined)
    throw new FileError(`${FILE}: expected the embedded weights in the package, found none; install tepal again`);
  return found;
}
