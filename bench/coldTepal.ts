import { Device } from "../src/engine/device.ts";
import { openGpu } from "../src/engine/softwareAdapter.node.ts";
import { answer } from "./coldChild.ts";
import { tepalEngine } from "./engines/tepal.ts";

await answer(async () => {
  const { adapter, description } = await openGpu();
  return tepalEngine(await Device.open(adapter, description), "");
});
