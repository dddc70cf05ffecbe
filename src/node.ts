/** What Node adds to the core: a device on whatever adapter can be had, and files. Everything of `tepal` is here too. */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeImage, readImage } from "./data/decode.node.ts";
import { ImageClassifier, type LoadOptions } from "./embed/imageClassifier.ts";
import { describeModel, describeWeights } from "./embed/modelSource.ts";
import { Device } from "./engine/device.ts";
import { FileError } from "./engine/errors.ts";
import { openGpu } from "./engine/softwareAdapter.node.ts";
import { bytesOf, type FileSource } from "./interop/decode.ts";
import { createClassifier } from "./nn/classifier.ts";
import { loadModel, loadWeights } from "./nn/formats/files.node.ts";

export type { CacheOptions } from "./data/cache.node.ts";
export { jpegRoundTrip } from "./data/corruptions/jpeg.node.ts";
export type { DecodeTarget } from "./data/decode.node.ts";
export { readFitted, readImage } from "./data/decode.node.ts";
export { loadDataset } from "./data/folders.node.ts";
export type { BrokenImage, LoadedDataset, LoadOptions as DatasetOptions } from "./data/loadImages.node.ts";
export { encodePng } from "./data/png.node.ts";
export { loadTuning, saveTuning, tuningFile } from "./engine/tuningCache.node.ts";
export * from "./index.ts";
export type { OpenFile, WritableFile } from "./nn/formats/atomicFile.node.ts";
export { readCheckpoint, writeCheckpoint } from "./nn/formats/checkpoint.node.ts";
export { embeddedWeights } from "./nn/formats/embedded.node.ts";
export type { ConvertOptions, WeightsInfo } from "./nn/formats/files.node.ts";
export { convertWeights, loadModel, loadWeights, saveModel, weightsInfo } from "./nn/formats/files.node.ts";

/**
 * Opens a device through Dawn: a GPU or a driver of the system where Dawn finds one, else the SwiftShader that comes with
 * the optional package `@sparticuz/chromium`.
 * @throws DeviceError when neither can be had.
 */
export async function openDevice(): Promise<Device> {
  const { adapter, description } = await openGpu();
  return Device.open(adapter, description);
}

/** Decodes a path, a `file:` address, or bytes: in Node nothing is fetched. */
async function decodeInNode(source: FileSource): ReturnType<typeof readImage> {
  if (typeof source === "string") return readImage(source);
  if (!(source instanceof URL)) return decodeImage(await bytesOf(source), "image");
  if (source.protocol === "file:") return readImage(fileURLToPath(source));
  throw new FileError(`${source}: expected a file, found the address of a server; download it and give its path`);
}

/**
 * Loads a model from disk: the folder that `tepal train` wrote, or a weight file of MobileNetV2 (Keras' or safetensors). Images
 * may be paths. Without `device` one is opened as `openDevice` does, and freed by `dispose`.
 * @throws FileError, WeightsError for what the files hold; DeviceError when no adapter can be had.
 */
export async function loadImageClassifier(
  path: string,
  { device: given, classNames }: Pick<LoadOptions, "device" | "classNames"> = {},
): Promise<ImageClassifier> {
  const description = statSync(path, { throwIfNoEntry: false })?.isDirectory()
    ? describeModel(await loadModel(path), classNames)
    : describeWeights(await loadWeights(path), classNames);
  const device = given instanceof Device ? given : given ? Device.adopt(given) : await openDevice();
  return ImageClassifier.from(createClassifier(device, description), { decode: decodeInNode, ownsDevice: !given });
}
