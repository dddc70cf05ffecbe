import { basename } from "node:path";
import { createDecoder } from "../data/decodePool.node.ts";
import type { ResizeMode } from "../data/resize.ts";
import type { TepalError } from "../engine/errors.ts";
import { FileError } from "../engine/errors.ts";
import type { CommandContext } from "./command.ts";

export interface LoadedImages {
  /** Paths of the images that could be read, in the order given. */
  readonly files: readonly string[];
  /** [N, H, W, 3] of 0 to 255. */
  readonly pixels: Float32Array;
  readonly broken: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * Decodes images at a model's input size. A broken one is named and left out, and the command ends with a FileError's code;
 * with none left it fails.
 */
export async function loadImages(
  paths: readonly string[],
  [height, width]: readonly [number, number],
  resize: ResizeMode,
  context: CommandContext,
): Promise<LoadedImages> {
  const decoder = createDecoder({ height, width, resize });
  const files: string[] = [];
  const parts: Float32Array[] = [];
  const broken: { file: string; reason: string }[] = [];
  try {
    for await (const item of decoder.decode([...paths])) {
      if ("pixels" in item) {
        files.push(item.path);
        parts.push(item.pixels);
      } else broken.push({ file: item.path, reason: (item.error as TepalError).message });
    }
  } finally {
    await decoder.close();
  }
  for (const { reason } of broken) context.terminal.warn(reason);
  if (files.length === 0)
    throw new FileError(
      `expected at least one readable image, found none of ${paths.length}; ${broken[0]?.reason ?? "give an image"}`,
    );
  if (broken.length > 0) context.setExitCode(new FileError("").exitCode);
  const pixels = new Float32Array(parts.length * height * width * 3);
  parts.forEach((part, index) => {
    pixels.set(part, index * part.length);
  });
  return { files, pixels, broken };
}

/** The file's name without folder and ending, for the pictures written about it. */
export const stem = (path: string): string => basename(path).replace(/\.[^.]*$/, "");
