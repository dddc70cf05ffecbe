/** An 8-bit RGB image: rows from the top, `data[(y · width + x) · 3 + channel]`. */
export interface Image {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Like `Image`, with bytes or floats of 0 to 255. */
export interface RgbPixels {
  width: number;
  height: number;
  data: Uint8Array | Float32Array;
}

/** The height and width of a picture, in pixels. */
export interface ImageSize {
  height: number;
  width: number;
}

/** A window of `height` × `width` pixels, `top` rows and `left` columns from the upper left corner. */
export interface Window extends ImageSize {
  top: number;
  left: number;
}

/** The window of the given size in the middle; an odd remainder goes to the right and to the bottom, as PIL users write it. */
export function centreWindow(outer: ImageSize, inner: ImageSize): Window {
  return {
    top: Math.floor((outer.height - inner.height) / 2),
    left: Math.floor((outer.width - inner.width) / 2),
    height: inner.height,
    width: inner.width,
  };
}

/** The pixels of `window` as a new image. Throws RangeError when the window leaves the image. */
export function crop(image: Image, window: Window): Image {
  const { top, left, height, width } = window;
  if (top < 0 || left < 0 || top + height > image.height || left + width > image.width) {
    throw new RangeError(
      `a crop of ${height}x${width} at (${top}, ${left}) leaves the image of ${image.height}x${image.width}; choose a smaller window`,
    );
  }
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** The bytes as float32 values of 0 to 255, shape [height, width, 3]; scaling to a network's range is the network's part. */
export function toFloat(image: RgbPixels): Float32Array {
  return new Float32Array(image.data);
}

/** Floats of 0 to 255 rounded and clamped to bytes: the inverse of `toFloat` for whole numbers. */
export function toImage(pixels: Float32Array, { height, width }: ImageSize): Image {
  return { width, height, data: toBytes(pixels) };
}

/** Values rounded to the nearest byte; what lies outside 0 to 255 is clamped. */
export function toBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(new Uint8ClampedArray(values).buffer);
}

/** Red, green, blue from RGBA bytes; transparency shows white, as on a page. */
export function compositeOverWhite(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const alpha = rgba[from + 3];
    if (alpha === 255) {
      data[to] = rgba[from];
      data[to + 1] = rgba[from + 1];
      data[to + 2] = rgba[from + 2];
    } else {
      for (let channel = 0; channel < 3; channel++) {
        data[to + channel] = Math.round((rgba[from + channel] * alpha + 255 * (255 - alpha)) / 255);
      }
    }
  }
  return { width, height, data };
}
