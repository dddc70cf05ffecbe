import type { RgbImage } from "../../src/xai/overlay.ts";

/** Draws a picture on a canvas of its size. */
export function drawPicture(canvas: HTMLCanvasElement, { width, height, data }: RgbImage): void {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    image.data[to] = data[from];
    image.data[to + 1] = data[from + 1];
    image.data[to + 2] = data[from + 2];
    image.data[to + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

export const pictureCanvas = (label: string, picture?: RgbImage): HTMLCanvasElement => {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  if (picture) drawPicture(canvas, picture);
  else canvas.width = canvas.height = 96;
  return canvas;
};
