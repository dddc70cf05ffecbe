/** How many bytes of GPU buffers an engine holds, whichever it is: counted where WebGPU hands buffers out and takes them back. */

interface Held {
  live: number;
  peak: number;
  /** Whether a buffer was made since the watch of the current work began. */
  touched: boolean;
}

const held = new Map<GPUDevice, Held>();
const makers = new WeakMap<GPUBuffer, Held>();

function heldBy(device: GPUDevice): Held {
  const known = held.get(device) ?? { live: 0, peak: 0, touched: false };
  held.set(device, known);
  return known;
}

/** Begins to count, for the rest of the process; devices that are opened before are counted from here on. */
export function watchBuffers(): void {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const holder = heldBy(this);
    holder.live += descriptor.size;
    holder.peak = Math.max(holder.peak, holder.live);
    holder.touched = true;
    makers.set(buffer, holder);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    const holder = makers.get(this);
    if (holder) holder.live -= this.size;
    // A buffer may be destroyed again; it counts once.
    makers.delete(this);
    return destroy.call(this);
  };
}

/**
 * Runs some work and tells the most bytes of buffers that the devices which it made buffers on held meanwhile: weights, activations,
 * staging and what pools keep. Null where it made none, as on a processor.
 */
export async function peakBytesOf<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly bytes: number | null }> {
  for (const holder of held.values()) {
    holder.peak = holder.live;
    holder.touched = false;
  }
  const result = await work();
  const used = [...held.values()].filter(({ touched }) => touched);
  return { result, bytes: used.length > 0 ? used.reduce((sum, { peak }) => sum + peak, 0) : null };
}
