import type { Device } from "../engine/device.ts";
import { compileModule } from "../engine/device.ts";
import { DeviceError } from "../engine/errors.ts";
import type { BufferRange } from "../engine/plan/buffers.ts";
import overlayCode from "../shaders/overlay.wgsl?raw";
import { type ColormapName, colormap } from "../xai/colormaps.ts";
import type { FrameWindow } from "./frameReader.ts";

export interface OverlayPaint {
  /** The frame that was explained. */
  readonly texture: GPUTexture;
  /** The part of it that the network saw. */
  readonly window: FrameWindow;
  /** The map [height, width], any scale: it is shown divided by its peak. */
  readonly heatmap: BufferRange;
  readonly height: number;
  readonly width: number;
  /** Opacity where the heat is 1, in [0, 1]; default 0.7. */
  readonly alpha?: number;
  /** Flipped left to right, as a camera that faces its user is shown. */
  readonly mirrored?: boolean;
}

/** The canvases that WebGPU can draw on. */
export type PaintableCanvas = HTMLCanvasElement | OffscreenCanvas;

/** Draws heat maps over frames on a canvas; neither passes through the host. Dispose it when done. */
export class OverlayPainter {
  #uniforms: GPUBuffer;
  #palette: GPUBuffer;
  #heat: GPUBuffer | null = null;
  #sampler: GPUSampler;

  private constructor(
    private readonly device: Device,
    private readonly context: GPUCanvasContext,
    private readonly pipeline: GPURenderPipeline,
    palette: Uint8Array,
  ) {
    const { gpu, queue } = device;
    this.#uniforms = device.createBuffer(32, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST, "overlay");
    this.#palette = device.createBuffer(1024, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST, "palette");
    const packed = new Uint8Array(1024).fill(255);
    for (let entry = 0; entry < 256; entry++) packed.set(palette.subarray(3 * entry, 3 * entry + 3), 4 * entry);
    queue.writeBuffer(this.#palette, 0, packed);
    this.#sampler = gpu.createSampler({ magFilter: "linear", minFilter: "linear" });
  }

  /** @throws DeviceError when the canvas has no WebGPU context, which a canvas with another context never has. */
  static async create(
    device: Device,
    canvas: PaintableCanvas,
    palette: ColormapName = "ember",
  ): Promise<OverlayPainter> {
    const context = canvas.getContext("webgpu") as GPUCanvasContext | null;
    if (!context)
      throw new DeviceError(
        "expected a canvas that WebGPU can draw on, found one with another context; use a new canvas",
      );
    const format = navigator.gpu.getPreferredCanvasFormat();
    context.configure({ device: device.gpu, format, alphaMode: "opaque" });
    const module = await compileModule(device.gpu, { name: "overlay", code: overlayCode });
    const pipeline = await device.gpu.createRenderPipelineAsync({
      label: "overlay",
      layout: "auto",
      vertex: { module, entryPoint: "corner" },
      fragment: { module, entryPoint: "blend", targets: [{ format }] },
    });
    return new OverlayPainter(device, context, pipeline, colormap(palette).table);
  }

  /** Encodes the drawing after what computes the map, so that one submission does both. */
  paint(encoder: GPUCommandEncoder, paint: OverlayPaint): void {
    const { texture, window, heatmap, height, width, alpha = 0.7, mirrored = false } = paint;
    const words = new ArrayBuffer(32);
    new Float32Array(words, 0, 4).set([window.left, window.top, window.width, window.height]);
    new Uint32Array(words, 16, 2).set([width, height]);
    new Float32Array(words, 24, 1)[0] = alpha;
    new Uint32Array(words, 28, 1)[0] = mirrored ? 1 : 0;
    this.device.queue.writeBuffer(this.#uniforms, 0, words);
    const heat = this.#heatBuffer(heatmap.size);
    encoder.copyBufferToBuffer(heatmap.buffer, heatmap.offset, heat, 0, heatmap.size);
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view: this.context.getCurrentTexture().createView(), loadOp: "clear", storeOp: "store" }],
    });
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(
      0,
      this.device.gpu.createBindGroup({
        layout: this.pipeline.getBindGroupLayout(0),
        entries: [
          { binding: 0, resource: { buffer: this.#uniforms } },
          { binding: 1, resource: texture.createView() },
          { binding: 2, resource: { buffer: heat } },
          { binding: 3, resource: { buffer: this.#palette } },
          { binding: 4, resource: this.#sampler },
        ],
      }),
    );
    pass.draw(3);
    pass.end();
  }

  /** A buffer of its own: a plan's values need not begin where a binding may. */
  #heatBuffer(bytes: number): GPUBuffer {
    if (this.#heat && this.#heat.size >= bytes) return this.#heat;
    if (this.#heat) this.device.destroyBuffer(this.#heat);
    this.#heat = this.device.createBuffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST, "heat map");
    return this.#heat;
  }

  dispose(): void {
    for (const buffer of [this.#uniforms, this.#palette, this.#heat]) if (buffer) this.device.destroyBuffer(buffer);
    this.context.unconfigure();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
