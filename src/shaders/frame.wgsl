// A frame of the host (photograph, camera, canvas) as the pixels that a network reads, resized and cropped in one step.
//   y[oy, ox, c] = 255 · Σ_iy Σ_ix weight(oy, iy) · weight(ox, ix) · frame[iy, ix, c]
//   weight(o, i) = max(0, 1 − |i + 1/2 − centre| / support) divided by its sum,    centre = (first + o + 1/2) · scale
// A support of 1 is bilinear interpolation; a support as wide as the reduction is the triangle filter, which averages away what
// the smaller picture cannot hold. frame: RGBA texture of 0 to 1. y: [outHeight, outWidth, 3] of 0 to 255.
// One invocation per output pixel. Bytes at least: 4 per texel that is read, 12 per output pixel. FLOPs: 8 per texel and pixel.

struct Params {
  outWidth: u32, outHeight: u32,
  first: vec2f, // outputs that the crop leaves out on the left and above
  scale: vec2f, // input pixels per output pixel
  support: vec2f, // in input pixels
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var frame: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn weight(i: i32, centre: f32, support: f32) -> f32 {
  return max(0.0, 1.0 - abs(f32(i) + 0.5 - centre) / support);
}

@compute @workgroup_size(8, 8)
fn readFrame(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.y >= params.outHeight) { return; }
  let last = vec2i(textureDimensions(frame)) - 1;
  let centre = (params.first + vec2f(id.xy) + 0.5) * params.scale;
  let low = max(vec2i(floor(centre - params.support)), vec2i(0));
  let high = min(vec2i(ceil(centre + params.support)), last);
  var total = vec3f(0.0);
  var weights = 0.0;
  for (var iy = low.y; iy <= high.y; iy++) {
    let row = weight(iy, centre.y, params.support.y);
    for (var ix = low.x; ix <= high.x; ix++) {
      let both = row * weight(ix, centre.x, params.support.x);
      total += both * textureLoad(frame, vec2i(ix, iy), 0).rgb;
      weights += both;
    }
  }
  let at = 3u * (id.y * params.outWidth + id.x);
  let pixel = 255.0 * total / weights;
  y[at] = pixel.r;
  y[at + 1u] = pixel.g;
  y[at + 2u] = pixel.b;
}
