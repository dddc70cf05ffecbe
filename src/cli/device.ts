import { Device } from "../engine/device.ts";
import { openGpu } from "../engine/softwareAdapter.node.ts";

/**
 * Opens a GPU device for the time of `work`, and gives it back afterwards whatever happens.
 * @param work gets the device and what its adapter calls itself.
 * @throws DeviceError when no adapter can be had.
 */
export async function withDevice<T>(work: (device: Device, adapter: string) => Promise<T>): Promise<T> {
  const { adapter, description } = await openGpu();
  const device = await Device.open(adapter, description);
  try {
    return await work(device, description);
  } finally {
    device.destroy();
  }
}
