/** What Node adds to the core: a device on whatever adapter can be had, and files. Everything of `tepal` is here too. */
import { Device } from "./engine/device.ts";
import { openGpu } from "./engine/softwareAdapter.node.ts";

export { jpegRoundTrip } from "./data/corruptions/jpeg.node.ts";
export { readFitted, readImage } from "./data/decode.node.ts";
export { loadDataset } from "./data/folders.node.ts";
export { encodePng } from "./data/png.node.ts";
export * from "./index.ts";
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
