import { Device } from "../engine/device.ts";
import { openGpu } from "../engine/softwareAdapter.node.ts";
import { loadTuning } from "../engine/tuningCache.node.ts";

/**
 * Opens a GPU device for the time of `work`, with the choices that `tepal tune` kept for its adapter, and gives it back
 * afterwards whatever happens.
 * @param work gets the device and what its adapter calls itself.
 * @throws DeviceError when no adapter can be had.
 */
export async function withDevice<T>(work: (device: Device, adapter: string) => Promise<T>): Promise<T> {
  const { adapter, description } = await openGpu();
  const device = await Device.open(adapter, description);
  device.tuning = await loadTuning(description);
  try {
    return await work(device, description);
  } finally {
    device.destroy();
  }
}
