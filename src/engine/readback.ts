import type { Device } from "./device.ts";

/** Copies a range of a buffer to the host; throws what the GPU reported. */
export async function readBuffer(
  device: Device,
  buffer: GPUBuffer,
  offset: number,
  size: number,
): Promise<ArrayBuffer> {
  return device.guarded(async () => {
    const staging = device.createBuffer(
      Math.max(4, size),
      GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      "readback",
    );
    try {
      const encoder = device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      return staging.getMappedRange(0, size).slice(0);
    } finally {
      device.destroyBuffer(staging);
    }
  });
}
