// Depthwise 3×3 convolutions that slide: one invocation computes seven neighbouring outputs of four channels (stride 1: on two
// lines), so each pixel loaded serves several of them. Seven divides every width of MobileNet at 224 pixels: 112, …, 7.
//   stride1, stride2:    y[n, p, q, c] = Σ_{i, j} x[n, p·sy + i − top, q·s + j − left, c] · w[i, j, c]
//   gradientOfStride2:   dx[n, h, v, c] = Σ_{i, j} dy[n, p, q, c] · w[i, j, c]   where p·sy + i − top = h, 2·q + j − left = v
//   weightGradient:      dw[s, i, j, c] = Σ x[n, p·sy + i − top, q·s + j − left, c] · dy[n, p, q, c]   over the lines of split s
// stride1 moves by one line as well. Its gradient is stride1 of dy with FLIP = 1: the kernel turned round, padding 2 − top and 2 − left.
// Layout: images NHWC, weights HWC, channels a multiple of 4, all read as vectors of four channels; neighbouring invocations
// take neighbouring vectors. Outside the image x is zero. Sums run in the order of the naive kernel and give the same bits.
// gradientOfStride2: an even v + left meets two columns of dy, an odd one meets one; an invocation does four of each.
// weightGradient: one invocation keeps the nine sums of four channels and slides along the lines of its split.
// Loads per output, in vectors: 45/14 (stride 1) and 54/7 (stride 2) with the weights; the naive kernel needs 18.
// Against depthwise.wgsl: 2 to 40 times faster on lavapipe, 4 to 40 times on SwiftShader (docs/decisions/030).
// Epilogue: y = activation(y + bias[c]) + residual, then zero where a bit of mask is not set.

struct Params {
  batch: u32,
  height: u32,
  width: u32,
  channels: u32,
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  top: u32,
  left: u32,
  splitLength: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(6) var<storage, read> mask: array<u32>;
@group(0) @binding(7) var<storage, read_write> written: array<u32>;

override BIAS: u32 = 0;       // 1: add bias[c]
override ACTIVATION: u32 = 0; // 1: relu, 2: relu6
override RESIDUAL: u32 = 0;   // 1: add residual last
override MASK: u32 = 0;       // 1: then keep what the bits of mask say (bitMasks.wgsl)
override MASK_ROWS: u32 = 8;  // rows per word of mask
override MASK_BELOW: u32 = 1; // above 1: writes the bits of 0 < result < the float with these bits, seven pixels per word
override FLIP: u32 = 0;       // 1: turn the kernel round
override STRIDE: u32 = 1;     // of weightGradient: 1 or 2
override WORKGROUP: u32 = 64;

fn isNan(value: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

const lanes = vec4u(1u, 2u, 4u, 8u);

/// Keeps the lanes whose bit is set for this row and vector of columns.
fn masked(value: vec4f, row: u32, n: u32, width: u32) -> vec4f {
  if (MASK == 0u) { return value; }
  let bits = mask[row / MASK_ROWS * width + n] >> (4u * (row % MASK_ROWS));
  return select(vec4f(), value, (vec4u(bits) & lanes) != vec4u());
}
/// Four bits for the mask of the result.
fn insideBits(value: vec4f) -> u32 {
  if (MASK_BELOW == 1u) { return 0u; }
  return dot(select(vec4u(), lanes, bitcast<vec4u>(value) - vec4u(1u) < vec4u(MASK_BELOW - 1u)), vec4u(1u));
}
fn epilogue(total: vec4f, channels: u32, at: u32) -> vec4f {
  var value = total;
  if (BIAS == 1u) { value += bias[channels]; }
  if (ACTIVATION == 1u) { value = select(max(value, vec4f()), value, isNan(value)); }
  if (ACTIVATION == 2u) { value = select(min(max(value, vec4f()), vec4f(6.0)), value, isNan(value)); }
  if (RESIDUAL == 1u) { value += residual[at]; }
  return value;
}

fn pixel(line: u32, column: u32, c: u32) -> vec4f {
  return select(vec4f(), a[(line + column) * (params.channels / 4u) + c], column < params.width);
}

/// A pixel of x, zero also above and below the image.
fn row(inside: bool, line: u32, column: u32, c: u32) -> vec4f {
  return select(vec4f(), pixel(line, column, c), inside);
}

fn weight(i: u32, j: u32, c: u32) -> vec4f {
  let tap = i * 3u + j;
  return b[select(tap, 8u - tap, FLIP == 1u) * (params.channels / 4u) + c];
}

fn slide(total: vec4f, x0: vec4f, x1: vec4f, x2: vec4f, w0: vec4f, w1: vec4f, w2: vec4f) -> vec4f {
  return ((total + x0 * w0) + x1 * w1) + x2 * w2;
}

/// Writes one pixel of line (n, p) of the result; its bits for the mask.
fn store(total: vec4f, line: u32, q: u32, c: u32) -> u32 {
  if (q >= params.outWidth) { return 0u; }
  let vectors = params.channels / 4u;
  let row = line * params.outWidth + q;
  let at = row * vectors + c;
  let value = masked(epilogue(total, c, at), row, c, vectors);
  result[at] = value;
  return insideBits(value);
}

/// The nine pixels that seven neighbouring outputs meet on one line.
struct Pixels {
  x0: vec4f,
  x1: vec4f,
  x2: vec4f,
  x3: vec4f,
  x4: vec4f,
  x5: vec4f,
  x6: vec4f,
  x7: vec4f,
  x8: vec4f,
}

/// Seven sums along a line.
struct Run {
  total0: vec4f,
  total1: vec4f,
  total2: vec4f,
  total3: vec4f,
  total4: vec4f,
  total5: vec4f,
  total6: vec4f,
}

/// The pixels from v on of line h of image n; zeros outside.
fn pixels(n: u32, h: u32, v: u32, c: u32) -> Pixels {
  let start = (n * params.height + h) * params.width;
  let inside = h < params.height;
  return Pixels(
    row(inside, start, v, c),
    row(inside, start, v + 1u, c),
    row(inside, start, v + 2u, c),
    row(inside, start, v + 3u, c),
    row(inside, start, v + 4u, c),
    row(inside, start, v + 5u, c),
    row(inside, start, v + 6u, c),
    row(inside, start, v + 7u, c),
    row(inside, start, v + 8u, c),
  );
}

fn slideRun(run: Run, x: Pixels, w: mat3x4f) -> Run {
  return Run(
    slide(run.total0, x.x0, x.x1, x.x2, w[0], w[1], w[2]),
    slide(run.total1, x.x1, x.x2, x.x3, w[0], w[1], w[2]),
    slide(run.total2, x.x2, x.x3, x.x4, w[0], w[1], w[2]),
    slide(run.total3, x.x3, x.x4, x.x5, w[0], w[1], w[2]),
    slide(run.total4, x.x4, x.x5, x.x6, w[0], w[1], w[2]),
    slide(run.total5, x.x5, x.x6, x.x7, w[0], w[1], w[2]),
    slide(run.total6, x.x6, x.x7, x.x8, w[0], w[1], w[2]),
  );
}

fn storeRun(run: Run, line: u32, q: u32, c: u32) {
  let bits = store(run.total0, line, q, c) | (store(run.total1, line, q + 1u, c) << 4u)
    | (store(run.total2, line, q + 2u, c) << 8u) | (store(run.total3, line, q + 3u, c) << 12u)
    | (store(run.total4, line, q + 4u, c) << 16u) | (store(run.total5, line, q + 5u, c) << 20u)
    | (store(run.total6, line, q + 6u, c) << 24u);
  if (MASK_BELOW > 1u) { written[(line * params.outWidth + q) / 7u * (params.channels / 4u) + c] = bits; }
}

@compute @workgroup_size(WORKGROUP)
fn stride1(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let blocks = (params.outWidth + 6u) / 7u;
  let pairs = (params.outHeight + 1u) / 2u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * pairs * blocks * vectors) { return; }
  let c = at % vectors;
  let q = at / vectors % blocks * 7u;
  let n = at / vectors / blocks / pairs;
  let p = at / vectors / blocks % pairs * 2u;
  let h = p - params.top; // below zero it wraps round and is outside
  let v = q - params.left;
  let w0 = mat3x4f(weight(0u, 0u, c), weight(0u, 1u, c), weight(0u, 2u, c));
  let w1 = mat3x4f(weight(1u, 0u, c), weight(1u, 1u, c), weight(1u, 2u, c));
  let w2 = mat3x4f(weight(2u, 0u, c), weight(2u, 1u, c), weight(2u, 2u, c));
  let first = pixels(n, h, v, c);
  var upper = slideRun(Run(), first, w0);
  let second = pixels(n, h + 1u, v, c);
  upper = slideRun(upper, second, w1);
  var lower = slideRun(Run(), second, w0);
  let third = pixels(n, h + 2u, v, c);
  upper = slideRun(upper, third, w2);
  lower = slideRun(lower, third, w1);
  let fourth = pixels(n, h + 3u, v, c);
  lower = slideRun(lower, fourth, w2);
  let line = n * params.outHeight + p;
  storeRun(upper, line, q, c);
  if (p + 1u < params.outHeight) { storeRun(lower, line + 1u, q, c); }
}

@compute @workgroup_size(WORKGROUP)
fn stride2(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let blocks = (params.outWidth + 6u) / 7u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.outHeight * blocks * vectors) { return; }
  let c = at % vectors;
  let q = at / vectors % blocks * 7u;
  let line = at / vectors / blocks;
  let p = line % params.outHeight;
  let v = q * 2u - params.left;
  var total0 = vec4f();
  var total1 = vec4f();
  var total2 = vec4f();
  var total3 = vec4f();
  var total4 = vec4f();
  var total5 = vec4f();
  var total6 = vec4f();
  for (var i = 0u; i < 3u; i++) {
    let h = p * params.strideY + i - params.top; // below zero it wraps round and fails the test
    if (h >= params.height) { continue; }
    let start = (line / params.outHeight * params.height + h) * params.width;
    let w0 = weight(i, 0u, c);
    let w1 = weight(i, 1u, c);
    let w2 = weight(i, 2u, c);
    let x0 = pixel(start, v, c);
    let x1 = pixel(start, v + 1u, c);
    let x2 = pixel(start, v + 2u, c);
    let x3 = pixel(start, v + 3u, c);
    let x4 = pixel(start, v + 4u, c);
    let x5 = pixel(start, v + 5u, c);
    let x6 = pixel(start, v + 6u, c);
    let x7 = pixel(start, v + 7u, c);
    let x8 = pixel(start, v + 8u, c);
    let x9 = pixel(start, v + 9u, c);
    let x10 = pixel(start, v + 10u, c);
    let x11 = pixel(start, v + 11u, c);
    let x12 = pixel(start, v + 12u, c);
    let x13 = pixel(start, v + 13u, c);
    let x14 = pixel(start, v + 14u, c);
    total0 = slide(total0, x0, x1, x2, w0, w1, w2);
    total1 = slide(total1, x2, x3, x4, w0, w1, w2);
    total2 = slide(total2, x4, x5, x6, w0, w1, w2);
    total3 = slide(total3, x6, x7, x8, w0, w1, w2);
    total4 = slide(total4, x8, x9, x10, w0, w1, w2);
    total5 = slide(total5, x10, x11, x12, w0, w1, w2);
    total6 = slide(total6, x12, x13, x14, w0, w1, w2);
  }
  storeRun(Run(total0, total1, total2, total3, total4, total5, total6), line, q, c);
}

/// A pixel of dy: here `a` has the sizes of the output.
fn upstream(line: u32, column: u32, c: u32) -> vec4f {
  return select(vec4f(), a[(line + column) * (params.channels / 4u) + c], column < params.outWidth);
}

/// Writes one pixel of line (n, h) of dx.
fn storeGradient(total: vec4f, line: u32, v: u32, c: u32) {
  if (v >= params.width) { return; }
  let vectors = params.channels / 4u;
  let row = line * params.width + v;
  let at = row * vectors + c;
  result[at] = masked(epilogue(total, c, at), row, c, vectors);
}

@compute @workgroup_size(WORKGROUP)
fn gradientOfStride2(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let blocks = (params.width + params.left + 7u) / 8u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.height * blocks * vectors) { return; }
  let c = at % vectors;
  let q = at / vectors % blocks * 4u;
  let line = at / vectors / blocks;
  let h = line % params.height;
  var even0 = vec4f();
  var odd0 = vec4f();
  var even1 = vec4f();
  var odd1 = vec4f();
  var even2 = vec4f();
  var odd2 = vec4f();
  var even3 = vec4f();
  var odd3 = vec4f();
  for (var r = 0u; r < 3u; r++) {
    let i = 2u - r;
    let up = h + params.top - i; // p · strideY
    if (up % params.strideY != 0u || up / params.strideY >= params.outHeight) { continue; }
    let start = (line / params.height * params.outHeight + up / params.strideY) * params.outWidth;
    let w0 = weight(i, 0u, c);
    let w1 = weight(i, 1u, c);
    let w2 = weight(i, 2u, c);
    let before = upstream(start, q - 1u, c);
    let d0 = upstream(start, q, c);
    let d1 = upstream(start, q + 1u, c);
    let d2 = upstream(start, q + 2u, c);
    let d3 = upstream(start, q + 3u, c);
    even0 = (even0 + before * w2) + d0 * w0;
    odd0 += d0 * w1;
    even1 = (even1 + d0 * w2) + d1 * w0;
    odd1 += d1 * w1;
    even2 = (even2 + d1 * w2) + d2 * w0;
    odd2 += d2 * w1;
    even3 = (even3 + d2 * w2) + d3 * w0;
    odd3 += d3 * w1;
  }
  let v = 2u * q - params.left;
  storeGradient(even0, line, v, c);
  storeGradient(odd0, line, v + 1u, c);
  storeGradient(even1, line, v + 2u, c);
  storeGradient(odd1, line, v + 3u, c);
  storeGradient(even2, line, v + 4u, c);
  storeGradient(odd2, line, v + 5u, c);
  storeGradient(even3, line, v + 6u, c);
  storeGradient(odd3, line, v + 7u, c);
}

@compute @workgroup_size(WORKGROUP)
fn weightGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * vectors) { return; }
  let c = at % vectors;
  let split = at / vectors;
  let first = split * params.splitLength;
  let last = min(first + params.splitLength, params.batch * params.outHeight);
  var total00 = vec4f();
  var total01 = vec4f();
  var total02 = vec4f();
  var total10 = vec4f();
  var total11 = vec4f();
  var total12 = vec4f();
  var total20 = vec4f();
  var total21 = vec4f();
  var total22 = vec4f();
  for (var line = first; line < last; line++) {
    let n = line / params.outHeight;
    let h = line % params.outHeight * params.strideY - params.top;
    let line0 = (n * params.height + h) * params.width;
    let inside0 = h < params.height;
    let line1 = (n * params.height + h + 1u) * params.width;
    let inside1 = h + 1u < params.height;
    let line2 = (n * params.height + h + 2u) * params.width;
    let inside2 = h + 2u < params.height;
    // The window's last two columns; its first is the one that slid out.
    var x01 = row(inside0, line0, 0u - params.left, c);
    var x02 = row(inside0, line0, 1u - params.left, c);
    var x11 = row(inside1, line1, 0u - params.left, c);
    var x12 = row(inside1, line1, 1u - params.left, c);
    var x21 = row(inside2, line2, 0u - params.left, c);
    var x22 = row(inside2, line2, 1u - params.left, c);
    for (var q = 0u; q < params.outWidth; q++) {
      let v = q * STRIDE - params.left;
      let dy = b[(line * params.outWidth + q) * vectors + c];
      var x00 = x01;
      x01 = x02;
      var x10 = x11;
      x11 = x12;
      var x20 = x21;
      x21 = x22;
      if (STRIDE == 2u && q > 0u) {
        x00 = x01;
        x01 = row(inside0, line0, v + 1u, c);
        x10 = x11;
        x11 = row(inside1, line1, v + 1u, c);
        x20 = x21;
        x21 = row(inside2, line2, v + 1u, c);
      }
      x02 = row(inside0, line0, v + 2u, c);
      x12 = row(inside1, line1, v + 2u, c);
      x22 = row(inside2, line2, v + 2u, c);
      total00 += x00 * dy;
      total01 += x01 * dy;
      total02 += x02 * dy;
      total10 += x10 * dy;
      total11 += x11 * dy;
      total12 += x12 * dy;
      total20 += x20 * dy;
      total21 += x21 * dy;
      total22 += x22 * dy;
    }
  }
  let base = split * 9u * vectors + c;
  result[base] = total00;
  result[base + 1u * vectors] = total01;
  result[base + 2u * vectors] = total02;
  result[base + 3u * vectors] = total10;
  result[base + 4u * vectors] = total11;
  result[base + 5u * vectors] = total12;
  result[base + 6u * vectors] = total20;
  result[base + 7u * vectors] = total21;
  result[base + 8u * vectors] = total22;
}
