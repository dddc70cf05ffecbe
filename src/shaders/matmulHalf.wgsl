// Matrix products with weights of two bytes, in register tiles: one invocation computes 8 × 8 outputs.
//   product:            y[m, n] = scales[n] · Σ_k a[m, k] · h[k, n]
//   transposedProduct:  y[m, n] = Σ_k a[m, k] · (scales[k] · h[n, k])
// h: float16, two neighbours along the last axis in a word, the first in the low bits. scales: the power of two that brought the
// column's largest weight to 1 … 2, times what was folded into the weights. a, sums and y are float32: halves become floats as they
// are loaded, by unpack2x16float, which every adapter has. Loads of `enable f16` give the same floats and are slower where it was measured;
// products in float16 would round again (docs/decisions/039). No half is subnormal, so no adapter may flush one. Sums run over k in
// order, so the bits are the same whatever the workgroup.
// The tile is that of matmulTiled.wgsl. Every two k: 8 loads of a (two floats each) and 4 of h (four halves; transposed: 8 of two), for 128
// multiply-adds. inner and columns must be multiples of 4. Rows and columns past the end are read from the last one and not written.
// FLOPs: 2·rows·inner·columns.  Bytes at least: 4·rows·inner + 2·inner·columns + 4·rows·columns, so half as many for the weights: that
// decides where rows are few (a dense layer, and at batch 1 the layers of 7 × 7).
// Hardware: 64 sums, 16 numbers of a and 8 of h, about 100 registers: 20 subgroups of 32 on a multiprocessor with 64 Ki registers, or
// 5 waves of 64 on a SIMD with 512 a lane. Eight neighbours along x read 64 bytes of a line of h and another 64, so a subgroup of 32 asks for 128
// bytes in whole lines and its four rows share them; one of 64 the same with eight rows.
// Gain: half the memory for weights, and 34.3 MB instead of 41.0 that the products of a forward pass of MobileNetV2 must move. On lavapipe
// it is slower than the shared tile of float32; no hardware was measured (docs/decisions/039).
// Epilogue: y = activation(y + bias[n]) + residual[m, n], then zero where a bit of mask is not set.
// WORKGROUP_X × WORKGROUP_Y: invocations along columns and along rows.

struct Params {
  rows: u32,
  inner: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2f>;
@group(0) @binding(2) var<storage, read> halves: array<u32>;
@group(0) @binding(2) var<storage, read> halvesOfFour: array<vec2u>;
@group(0) @binding(3) var<storage, read> scales: array<vec4f>;
@group(0) @binding(3) var<storage, read> scalesOfTwo: array<vec2f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<storage, read> mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> written: array<u32>;

override BIAS: u32 = 0;       // 1: add bias[n]
override ACTIVATION: u32 = 0; // 1: relu, 2: relu6
override RESIDUAL: u32 = 0;   // 1: add residual[m, n] last
override MASK: u32 = 0;       // 1: then keep what the bits of mask say (bitMasks.wgsl)
override MASK_ROWS: u32 = 8;  // rows per word of mask
override MASK_BELOW: u32 = 1; // above 1: writes the bits of 0 < result < the float with these bits, eight rows per word
override ROLLED: u32 = 0;     // 1: write the tile in a loop that stays one, for drivers that compile a store for each lane
override WORKGROUP_X: u32 = 8;
override WORKGROUP_Y: u32 = 8;

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

fn epilogue(total: vec4f, n: u32, at: u32) -> vec4f {
  var value = total;
  if (BIAS == 1u) { value += bias[n]; }
  if (ACTIVATION == 1u) { value = select(max(value, vec4f()), value, isNan(value)); }
  if (ACTIVATION == 2u) { value = select(min(max(value, vec4f()), vec4f(6.0)), value, isNan(value)); }
  if (RESIDUAL == 1u) { value += residual[at]; }
  return value;
}

/// Row r of the result is column[r] · row.
fn outer(column: vec4f, row: vec4f) -> mat4x4f {
  return mat4x4f(column.x * row, column.y * row, column.z * row, column.w * row);
}

/// Eight rows of two vectors of columns: rows 0 to 3 (low) and 4 to 7 (high).
struct Tile {
  low0: mat4x4f,
  low1: mat4x4f,
  high0: mat4x4f,
  high1: mat4x4f,
}

/// One term more of every sum.
fn addTerm(tile: Tile, low: vec4f, high: vec4f, b0: vec4f, b1: vec4f) -> Tile {
  return Tile(
    tile.low0 + outer(low, b0), tile.low1 + outer(low, b1), tile.high0 + outer(high, b0), tile.high1 + outer(high, b1),
  );
}

/// The tile row by row.
fn rowsOf(tile: Tile) -> array<vec4f, 16> {
  return array<vec4f, 16>(
    tile.low0[0], tile.low1[0], tile.low0[1], tile.low1[1], tile.low0[2], tile.low1[2], tile.low0[3], tile.low1[3],
    tile.high0[0], tile.high1[0], tile.high0[1], tile.high1[1], tile.high0[2], tile.high1[2], tile.high0[3], tile.high1[3],
  );
}

/// How many vectors of a tile with `rows` rows inside are written: all, in a loop that a compiler unrolls, or ROLLED only these.
fn vectorsOf(rows: u32) -> u32 {
  return select(16u, 2u * min(8u, rows), ROLLED == 1u);
}

/// Writes the rows from m on of the vectors n and n + WORKGROUP_X of columns, times their scales.
fn store(tile: Tile, m: u32, n: u32, scale0: vec4f, scale1: vec4f) {
  let width = params.columns / 4u;
  let rows = rowsOf(tile);
  let start = ROLLED * params.columns; // Mesa unrolls a loop that counts an array's elements from zero
  let end = start + vectorsOf(params.rows - m);
  var bits = vec2u();
  for (var k = start; k < end; k++) {
    let i = k - start;
    let row = m + i / 2u;
    let column = n + i % 2u * WORKGROUP_X;
    if (row < params.rows && column < width) {
      let at = row * width + column;
      let scaled = rows[i] * select(scale0, scale1, i % 2u == 1u);
      let value = masked(epilogue(scaled, column, at), row, column, width);
      y[at] = value;
      bits |= select(vec2u(insideBits(value), 0u), vec2u(0u, insideBits(value)), i % 2u == 1u) << vec2u(4u * (i / 2u));
    }
  }
  if (MASK_BELOW > 1u) {
    written[m / 8u * width + n] = bits.x;
    if (n + WORKGROUP_X < width) { written[m / 8u * width + n + WORKGROUP_X] = bits.y; }
  }
}

/// Where the four rows of a from m on begin, in pairs.
fn rowStarts(m: u32) -> vec4u {
  return min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(params.rows - 1u)) * (params.inner / 2u);
}

/// Two terms of four rows of a, or of four columns of h: row 0 holds the first term of each.
fn gatherA(starts: vec4u, pair: u32) -> mat2x4f {
  return transpose(mat4x2f(a[starts.x + pair], a[starts.y + pair], a[starts.z + pair], a[starts.w + pair]));
}

fn gatherHalves(starts: vec4u, pair: u32) -> mat2x4f {
  return transpose(mat4x2f(
    unpack2x16float(halves[starts.x + pair]), unpack2x16float(halves[starts.y + pair]),
    unpack2x16float(halves[starts.z + pair]), unpack2x16float(halves[starts.w + pair]),
  ));
}

fn fourOf(words: vec2u) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = params.columns / 4u;
  let m = (group.y * WORKGROUP_Y + local.y) * 8u;
  let n = group.x * WORKGROUP_X * 2u + local.x;
  if (n >= width || m >= params.rows) { return; }
  let next = min(n + WORKGROUP_X, width - 1u);
  let lowRows = rowStarts(m);
  let highRows = rowStarts(m + 4u);
  var tile = Tile();
  for (var pair = 0u; pair < params.inner / 2u; pair++) {
    let low = gatherA(lowRows, pair);
    let high = gatherA(highRows, pair);
    let line = 2u * pair * width;
    tile = addTerm(tile, low[0], high[0], fourOf(halvesOfFour[line + n]), fourOf(halvesOfFour[line + next]));
    let second = line + width;
    tile = addTerm(tile, low[1], high[1], fourOf(halvesOfFour[second + n]), fourOf(halvesOfFour[second + next]));
  }
  store(tile, m, n, scales[n], scales[next]);
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn transposedProduct(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = params.columns / 4u;
  let m = (group.y * WORKGROUP_Y + local.y) * 8u;
  let n = group.x * WORKGROUP_X * 2u + local.x;
  if (n >= width || m >= params.rows) { return; }
  let next = min(n + WORKGROUP_X, width - 1u);
  let lowRows = rowStarts(m);
  let highRows = rowStarts(m + 4u);
  let columns0 = (n * 4u + vec4u(0u, 1u, 2u, 3u)) * (params.inner / 2u);
  let columns1 = (next * 4u + vec4u(0u, 1u, 2u, 3u)) * (params.inner / 2u);
  var tile = Tile();
  for (var pair = 0u; pair < params.inner / 2u; pair++) {
    let low = gatherA(lowRows, pair);
    let high = gatherA(highRows, pair);
    let left = gatherHalves(columns0, pair);
    let right = gatherHalves(columns1, pair);
    let scale = scalesOfTwo[pair];
    tile = addTerm(tile, low[0], high[0], scale.x * left[0], scale.x * right[0]);
    tile = addTerm(tile, low[1], high[1], scale.y * left[1], scale.y * right[1]);
  }
  store(tile, m, n, vec4f(1.0), vec4f(1.0));
}
