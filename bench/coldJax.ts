import { openGpu } from "../src/engine/softwareAdapter.node.ts";
import { answer } from "./coldChild.ts";
import { loadPeer, offerGpu } from "./peers.ts";

await answer(async () => {
  offerGpu((await openGpu()).gpu);
  return await loadPeer("jax-js", { integrationBatches: [1], patient: false, gradients: false });
});
