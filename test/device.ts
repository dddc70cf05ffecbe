import { Device } from "../src/engine/device.ts";
import { openGpu } from "../src/engine/softwareAdapter.node.ts";

const key = Symbol.for("tepal.test.device");
const shared = globalThis as unknown as Record<symbol, Promise<Device> | undefined>;

/** One device for all tests of a worker: opening one costs a second on a software adapter. */
export function testDevice(): Promise<Device> {
  shared[key] ??= openGpu().then(({ adapter, description }) => Device.open(adapter, description));
  return shared[key];
}
