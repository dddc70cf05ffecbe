// Depthwise 3×3 convolutions that slide: one invocation computes seven neighbouring outputs (stride 2: four) of four channels on
// each line of a band, from top to bottom, so each pixel loaded serves several of them. Seven divides every width of MobileNet
// at 224 pixels: 112, …, 7.
//   stride1, stride2:    y[n, p, q, c] = Σ_{i, j} x[n, p·sy + i − top, q·s + j − left, c] · w[i, j, c]
//   gradientOfStride2:   dx[n, h, v, c] = Σ_{i, j} dy[n, p, q, c] · w[i, j, c]   where p·sy + i − top = h, 2·q + j − left = v
//   weightGradient:      dw[s, i, j, c] = Σ x[n, p·sy + i − top, q·s + j − left, c] · dy[n, p, q, c]   over the lines of split s
// Both strides are the same. The gradient of stride1 is stride1 of dy with FLIP = 1: the kernel turned round, padding 2 − top and 2 − left.
// Layout: images NHWC, weights HWC, channels a multiple of 4, all read as vectors of four channels; neighbouring invocations
// take neighbouring vectors. Outside the image x is zero. Sums run in the order of the naive kernel and give the same bits.
// gradientOfStride2: an even v + left meets two columns of dy, an odd one meets one; an invocation does four of each.
// weightGradient: one invocation keeps the nine sums of four channels and slides along the lines of its split.
// Loads per output in vectors, in a band of l lines: 9·(l + 2)/7l (stride 1), 9·(2l + 1)/4l (stride 2) and the weights; the
// naive kernel needs 18. Every line goes through all three lines of the kernel, so the first and last of a band cost
// multiply-adds in vain.
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
  lines: u32, // of one band (stride1, stride2) or split (weightGradient)
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
override MASK_BELOW: u32 = 1; // above 1: writes the bits of 0 < result < the float with these bits, a run of pixels per word
override FLIP: u32 = 0;       // 1: turn the kernel round
override STRIDE: u32 = 1;     // of weightGradient: 1 or 2
override ROLLED: u32 = 0;     // 1: write pixels in a loop that stays one, for drivers that compile a store for each lane
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

/// The bias of four channels, read once for all pixels.
fn shiftOf(c: u32) -> vec4f {
  if (BIAS == 1u) { return bias[c]; }
  return vec4f();
}

fn epilogue(total: vec4f, shift: vec4f, at: u32) -> vec4f {
  var value = total;
  if (BIAS == 1u) { value += shift; }
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

/// Writes the first `size` sums as pixels of line (n, p) of the result, from q on.
fn storeRun(run: Run, line: u32, q: u32, size: u32, c: u32, shift: vec4f) {
  let totals = array<vec4f, 7>(run.total0, run.total1, run.total2, run.total3, run.total4, run.total5, run.total6);
  let vectors = params.channels / 4u;
  let first = line * params.outWidth + q;
  let start = ROLLED * params.width; // Mesa unrolls a loop that counts an array's elements from zero
  let end = start + select(size, min(size, params.outWidth - q), ROLLED == 1u);
  var bits = 0u;
  for (var j = start; j < end; j++) {
    let k = j - start;
    if (q + k < params.outWidth) {
      let at = (first + k) * vectors + c;
      let value = masked(epilogue(totals[k], shift, at), first + k, c, vectors);
      result[at] = value;
      bits |= insideBits(value) << (4u * k);
    }
  }
  if (MASK_BELOW > 1u) { written[first / size * vectors + c] = bits; }
}

/// The kernel, line by line.
fn weights(c: u32) -> array<vec4f, 9> {
  var taps: array<vec4f, 9>;
  let start = ROLLED * params.width;
  for (var k = start; k < start + 9u; k++) { taps[k - start] = weight((k - start) / 3u, (k - start) % 3u, c); }
  return taps;
}

fn lineOf(taps: array<vec4f, 9>, i: u32) -> mat3x4f {
  return mat3x4f(taps[3u * i], taps[3u * i + 1u], taps[3u * i + 2u]);
}

/// The nine pixels that seven neighbouring outputs (four, two pixels apart) meet on one line.
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

@compute @workgroup_size(WORKGROUP)
fn stride1(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let blocks = (params.outWidth + 6u) / 7u;
  let bands = (params.outHeight + params.lines - 1u) / params.lines;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * bands * blocks * vectors) { return; }
  let c = at % vectors;
  let q = at / vectors % blocks * 7u;
  let n = at / vectors / blocks / bands;
  let p = at / vectors / blocks % bands * params.lines;
  let count = min(params.lines, params.outHeight - p);
  let taps = weights(c);
  let w0 = lineOf(taps, 0u);
  let w1 = lineOf(taps, 1u);
  let w2 = lineOf(taps, 2u);
  let shift = shiftOf(c);
  var two = Run(); // has two lines of its window
  var one = Run(); // has one
  for (var r = 0u; r < count + 2u; r++) {
    let x = pixels(n, p + r - params.top, q - params.left, c); // a line above the image wraps round and is outside
    let whole = slideRun(two, x, w2);
    two = slideRun(one, x, w1);
    one = slideRun(Run(), x, w0);
    if (r >= 2u) { storeRun(whole, n * params.outHeight + p + r - 2u, q, 7u, c, shift); }
  }
}

/// The first four sums of a run, two pixels apart.
fn slideApart(run: Run, x: Pixels, w: mat3x4f) -> Run {
  return Run(
    slide(run.total0, x.x0, x.x1, x.x2, w[0], w[1], w[2]),
    slide(run.total1, x.x2, x.x3, x.x4, w[0], w[1], w[2]),
    slide(run.total2, x.x4, x.x5, x.x6, w[0], w[1], w[2]),
    slide(run.total3, x.x6, x.x7, x.x8, w[0], w[1], w[2]),
    vec4f(), vec4f(), vec4f(),
  );
}

@compute @workgroup_size(WORKGROUP)
fn stride2(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let blocks = (params.outWidth + 3u) / 4u;
  let bands = (params.outHeight + params.lines - 1u) / params.lines;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * bands * blocks * vectors) { return; }
  let c = at % vectors;
  let q = at / vectors % blocks * 4u;
  let n = at / vectors / blocks / bands;
  let p = at / vectors / blocks % bands * params.lines;
  let count = min(params.lines, params.outHeight - p);
  let taps = weights(c);
  let w0 = lineOf(taps, 0u);
  let w1 = lineOf(taps, 1u);
  let w2 = lineOf(taps, 2u);
  let shift = shiftOf(c);
  var run = Run();
  for (var r = 0u; r < 2u * count + 1u; r++) {
    let x = pixels(n, 2u * p + r - params.top, 2u * q - params.left, c);
    if (r % 2u == 1u) {
      run = slideApart(run, x, w1);
    } else {
      // The last line of one window is the first of the next.
      let whole = slideApart(run, x, w2);
      run = slideApart(Run(), x, w0);
      if (r > 0u) { storeRun(whole, n * params.outHeight + p + r / 2u - 1u, q, 4u, c, shift); }
    }
  }
}

/// A pixel of dy: here `a` has the sizes of the output.
fn upstream(line: u32, column: u32, c: u32) -> vec4f {
  return select(vec4f(), a[(line + column) * (params.channels / 4u) + c], column < params.outWidth);
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
  for (var r = 0u; r < params.kernelHeight; r++) { // three, but not as a constant: unrolled, it takes longer to compile
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
  let totals = array<vec4f, 8>(even0, odd0, even1, odd1, even2, odd2, even3, odd3);
  let shift = shiftOf(c);
  let start = ROLLED * params.width;
  let end = start + select(8u, min(8u, params.width + params.left - 2u * q), ROLLED == 1u);
  for (var k = start; k < end; k++) {
    let column = 2u * q + k - start - params.left; // the first may lie before the image: it wraps round
    if (column < params.width) {
      let to = line * params.width + column;
      result[to * vectors + c] = masked(epilogue(totals[k - start], shift, to * vectors + c), to, c, vectors);
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn weightGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.channels / 4u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * vectors) { return; }
  let c = at % vectors;
  let split = at / vectors;
  let first = split * params.lines;
  let last = min(first + params.lines, params.batch * params.outHeight);
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
