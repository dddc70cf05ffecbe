import { aspectGeometry, type ResizeMode } from "../data/resize.ts";
import type { Device } from "../engine/device.ts";
import { compileModule } from "../engine/device.ts";
import type { DeviceValue } from "../engine/plan/plan.ts";
import { readBuffer } from "../engine/readback.ts";
import frameCode from "../shaders/frame.wgsl?raw";
import { type FrameSource, FrameTexture } from "./textures.ts";

/** The part of a frame that a network sees: offsets and sizes as shares of the frame's width and height. */
export interface FrameWindow {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Geometry {
  readonly first: readonly [x: number, y: number];
  readonly scale: readonly [x: number, y: number];
  readonly support: readonly [x: number, y: number];
  readonly window: FrameWindow;
}

/**
 * `tf`: the whole frame, bilinear. `aspect`: antialiased, aspect kept, centre crop, as photographs are read from files; a frame of
 * the network's own size is taken pixel for pixel, as such a file is.
 */
function geometryOf(
  frame: { readonly width: number; readonly height: number },
  [height, width]: readonly [number, number],
  resize: ResizeMode,
): Geometry {
  if (resize === "tf" || (frame.width === width && frame.height === height))
    return {
      first: [0, 0],
      scale: [frame.width / width, frame.height / height],
      support: [1, 1],
      window: { left: 0, top: 0, width: 1, height: 1 },
    };
  const { scaled, window } = aspectGeometry(frame, { height, width });
  const scale = [frame.width / scaled.width, frame.height / scaled.height] as const;
  return {
    first: [window.left, window.top],
    scale,
    support: [Math.max(scale[0], 1), Math.max(scale[1], 1)],
    window: {
      left: window.left / scaled.width,
      top: window.top / scaled.height,
      width: width / scaled.width,
      height: height / scaled.height,
    },
  };
}

/**
 * Frames as the pixels [1, H, W, 3] of 0 to 255 that a network reads, without a detour over the host. The numbers differ from a
 * file's by less than a byte's step or two: files are filtered in two passes with a byte after each, as PIL does. Dispose it when done.
 */
export class FrameReader {
  #texture: FrameTexture;
  #pixels: GPUBuffer;
  #uniforms: GPUBuffer;

  private constructor(
    private readonly device: Device,
    private readonly size: readonly [height: number, width: number],
    private readonly resize: ResizeMode,
    private readonly pipeline: GPUComputePipeline,
  ) {
    this.#texture = new FrameTexture(device);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    this.#pixels = device.createBuffer(size[0] * size[1] * 3 * 4, usage, "pixels of a frame");
    this.#uniforms = device.createBuffer(32, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST, "window of a frame");
  }

  /** @throws DeviceError when the kernel does not compile. */
  static async create(
    device: Device,
    size: readonly [height: number, width: number],
    resize: ResizeMode = "aspect",
  ): Promise<FrameReader> {
    const module = await compileModule(device.gpu, { name: "frame", code: frameCode });
    const pipeline = await device.gpu.createComputePipelineAsync({
      label: "frame",
      layout: "auto",
      compute: { module, entryPoint: "readFrame" },
    });
    return new FrameReader(device, size, resize, pipeline);
  }

  /**
   * Submits the reading of a frame; the value holds until the next call.
   * @throws DeviceError for a frame without pixels.
   */
  read(source: FrameSource): { pixels: DeviceValue; texture: GPUTexture; window: FrameWindow } {
    const texture = this.#texture.take(source);
    const [height, width] = this.size;
    const { first, scale, support, window } = geometryOf(texture, this.size, this.resize);
    const words = new ArrayBuffer(32);
    new Uint32Array(words, 0, 2).set([width, height]);
    new Float32Array(words, 8, 6).set([...first, ...scale, ...support]);
    this.device.queue.writeBuffer(this.#uniforms, 0, words);
    const bindGroup = this.device.gpu.createBindGroup({
      layout: this.pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#uniforms } },
        { binding: 1, resource: texture.createView() },
        { binding: 2, resource: { buffer: this.#pixels } },
      ],
    });
    const encoder = this.device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(Math.ceil(width / 8), Math.ceil(height / 8));
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    return { pixels: { buffer: this.#pixels, length: height * width * 3 }, texture, window };
  }

  /** The pixels of a frame on the host, [H, W, 3]. */
  async readBack(source: FrameSource): Promise<Float32Array> {
    const { pixels } = this.read(source);
    return new Float32Array(await readBuffer(this.device, pixels.buffer, 0, 4 * pixels.length));
  }

  dispose(): void {
    this.#texture.dispose();
    this.device.destroyBuffer(this.#pixels);
    this.device.destroyBuffer(this.#uniforms);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
