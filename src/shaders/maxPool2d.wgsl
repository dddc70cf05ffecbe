// Max pooling, NHWC, padding as −∞; a window of output (oy, ox) starts at (oy·strideY − top, ox·strideX − left):
//   maxPool2d:           y[n, oy, ox, c] = max over the window of x[n, iy, ix, c]
//   maxPool2dGradient:   dx[n, iy, ix, c] = Σ dy[n, oy, ox, c] over the windows whose first maximum is (iy, ix)
// One invocation per output element; channels are innermost, so neighbours read neighbours. The gradient gathers over the
// windows that contain its pixel, in order, and looks for each one's maximum again: no atomics, no stored indices.
// A NaN counts as greater than any number, so a window that holds one gives NaN.
// Bytes at least: x and y once; gradient x, dy and dx once. FLOPs: window per output; gradient window²/stride per pixel.

struct Params {
  count: u32, // elements of the tensor that is written
  height: u32, width: u32, channels: u32,
  outHeight: u32, outWidth: u32,
  windowHeight: u32, windowWidth: u32,
  strideY: u32, strideX: u32,
  top: u32, left: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// maxPool2dGradient
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

override WORKGROUP: u32 = 64;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// Strictly greater, with NaN above all: an equal value that comes later does not win.
fn exceeds(candidate: f32, best: f32) -> bool {
  return !isNan(best) && (isNan(candidate) || candidate > best);
}

// The position in x of the first maximum of a window; every window holds at least one pixel.
fn firstMaximum(n: u32, oy: u32, ox: u32, c: u32) -> u32 {
  let startY = oy * params.strideY;
  let startX = ox * params.strideX;
  // The window's pixels, in coordinates shifted by the padding so that none is negative.
  let fromY = max(startY, params.top);
  let fromX = max(startX, params.left);
  let toY = min(startY + params.windowHeight, params.height + params.top);
  let toX = min(startX + params.windowWidth, params.width + params.left);
  var best = ((n * params.height + fromY - params.top) * params.width + fromX - params.left) * params.channels + c;
  for (var iy = fromY - params.top; iy < toY - params.top; iy++) {
    for (var ix = fromX - params.left; ix < toX - params.left; ix++) {
      let at = ((n * params.height + iy) * params.width + ix) * params.channels + c;
      if (exceeds(x[at], x[best])) { best = at; }
    }
  }
  return best;
}

@compute @workgroup_size(WORKGROUP)
fn maxPool2d(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let c = at % params.channels;
  let pixel = at / params.channels;
  let ox = pixel % params.outWidth;
  let oy = pixel / params.outWidth % params.outHeight;
  let n = pixel / params.outWidth / params.outHeight;
  y[at] = x[firstMaximum(n, oy, ox, c)];
}

// The first window along one axis that reaches `position` (shifted by the padding).
fn firstWindow(position: u32, window: u32, stride: u32) -> u32 {
  return select(0u, (position - window) / stride + 1u, position >= window);
}

@compute @workgroup_size(WORKGROUP)
fn maxPool2dGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let c = at % params.channels;
  let pixel = at / params.channels;
  let ix = pixel % params.width + params.left;
  let iy = pixel / params.width % params.height + params.top;
  let n = pixel / params.width / params.height;
  let lastY = min(iy / params.strideY, params.outHeight - 1u);
  let lastX = min(ix / params.strideX, params.outWidth - 1u);
  var total = 0.0;
  for (var oy = firstWindow(iy, params.windowHeight, params.strideY); oy <= lastY; oy++) {
    for (var ox = firstWindow(ix, params.windowWidth, params.strideX); ox <= lastX; ox++) {
      if (firstMaximum(n, oy, ox, c) == at) {
        total += dy[((n * params.outHeight + oy) * params.outWidth + ox) * params.channels + c];
      }
    }
  }
  dx[at] = total;
}
