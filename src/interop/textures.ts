/** Frames of the host as textures of a device. This folder alone touches the host's own GPU objects. */
import type { Device } from "../engine/device.ts";
import { DeviceError } from "../engine/errors.ts";

/** A device that the host made itself. */
export type HostDevice = GPUDevice;

/** What a browser can hand to a GPU without its pixels passing through JavaScript. */
export type FrameSource =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | VideoFrame
  | GPUTexture;

/** Whether a value is a frame; decides by what this host knows, so it may be asked anywhere. */
export function isFrame(value: unknown): value is FrameSource {
  const kinds = [
    "ImageBitmap",
    "ImageData",
    "HTMLImageElement",
    "HTMLVideoElement",
    "HTMLCanvasElement",
    "OffscreenCanvas",
    "VideoFrame",
    "GPUTexture",
  ];
  return kinds.some((kind) => {
    const known = (globalThis as Record<string, unknown>)[kind];
    return typeof known === "function" && value instanceof known;
  });
}

export const isTexture = (source: FrameSource): source is GPUTexture =>
  typeof GPUTexture === "function" && source instanceof GPUTexture;

/** Width and height in pixels of a frame as it is shown. */
export function frameSize(source: FrameSource): { width: number; height: number } {
  if (typeof VideoFrame === "function" && source instanceof VideoFrame)
    return { width: source.displayWidth, height: source.displayHeight };
  if (typeof HTMLVideoElement === "function" && source instanceof HTMLVideoElement)
    return { width: source.videoWidth, height: source.videoHeight };
  if (typeof HTMLImageElement === "function" && source instanceof HTMLImageElement)
    return { width: source.naturalWidth, height: source.naturalHeight };
  const { width, height } = source as ImageBitmap;
  return { width, height };
}

/** One texture that takes frame after frame, and grows when a larger one comes. */
export class FrameTexture {
  #texture: GPUTexture | null = null;

  constructor(private readonly device: Device) {}

  /**
   * The frame as a texture: a `GPUTexture` is used as it is, anything else is copied on the GPU.
   * @throws DeviceError for a frame without pixels, such as a video that has not begun.
   */
  take(source: FrameSource): GPUTexture {
    if (isTexture(source)) return source;
    const { width, height } = frameSize(source);
    if (width < 1 || height < 1)
      throw new DeviceError(
        `expected a frame with pixels, found ${width} × ${height}; wait until the image or video has loaded`,
      );
    if (this.#texture?.width !== width || this.#texture.height !== height) {
      this.#texture?.destroy();
      this.#texture = this.device.gpu.createTexture({
        label: "frame",
        size: [width, height],
        format: "rgba8unorm",
        usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
      });
    }
    this.device.queue.copyExternalImageToTexture({ source }, { texture: this.#texture }, [width, height]);
    return this.#texture;
  }

  dispose(): void {
    this.#texture?.destroy();
    this.#texture = null;
  }
}
