/** `--baseline`: names, image files, and the mean of a folder of images. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { type BaselineChoice, baselineNames, meanPixels } from "../../xai/baselines.ts";
import type { CommandContext } from "../command.ts";
import { loadImages } from "../images.ts";

const named: readonly string[] = [...baselineNames, "blur", "noise"];
const meanPrefix = "mean:";

/** Images of a folder and its folders, in the order of their names. */
const imagesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
    .sort()
    .map((name) => join(folder, name));

/** @throws UsageError for what is neither a name nor a file; FileError when none of a folder's images can be read. */
export async function readBaselines(
  list: string,
  { inputSize, preprocessing }: Classifier,
  context: CommandContext,
): Promise<BaselineChoice[]> {
  const load = (files: readonly string[]) => loadImages([...files], inputSize, preprocessing.resize, context);
  const choices: BaselineChoice[] = [];
  for (const entry of list.split(",")) {
    const folder = entry.startsWith(meanPrefix) ? entry.slice(meanPrefix.length) : null;
    if (named.includes(entry)) choices.push(entry as BaselineChoice);
    else if (folder !== null && existsSync(folder) && statSync(folder).isDirectory()) {
      const { pixels, files } = await load(imagesIn(folder));
      choices.push(meanPixels(pixels, files.length));
    } else if (existsSync(entry)) choices.push((await load([entry])).pixels);
    else throw new UsageError(`--baseline expects ${named.join(", ")}, an image file or mean:FOLDER, found "${entry}"`);
  }
  return choices;
}
