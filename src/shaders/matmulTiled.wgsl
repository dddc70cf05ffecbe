// Matrix products in register tiles: one invocation computes 8 × 8 outputs, so each number loaded is used eight times.
//   product:            y[m, n] = Σ_k a[m, k] · b[k, n]
//   transposedProduct:  y[m, n] = Σ_k a[m, k] · b[n, k]
//   outerProduct:       y[s, k, n] = Σ_m a[m, k] · b[m, n]   over the rows m of split s
// The tile is four 4×4 matrices: rows 0–3 (low) and 4–7 (high) by two vectors of columns. Every k adds one outer product of
// eight numbers of a and eight of b: 16 loads for 64 multiply-adds, where the naive kernel loads 128. Sums run over k in
// order, as in the naive kernel, so the bits are the same whatever the workgroup. The tile is written out because software
// adapters keep indexed arrays in memory.
// Layout as in matmul.wgsl; columns (and for outerProduct the columns of a) must be multiples of 4. Rows and columns past the
// end are read from the last one and not written. Neighbours along x take neighbouring vectors of columns.
// Epilogue: y = activation(y + bias[n]) + residual[m, n], then zero where a bit of mask is not set.
// WORKGROUP_X × WORKGROUP_Y: invocations along columns and along rows.
// Against matmul.wgsl: 6 to 44 times faster on lavapipe, 5 to 36 times on SwiftShader (docs/decisions/030).

struct Params {
  rows: u32,
  inner: u32,
  columns: u32,
  splitLength: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> aVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(6) var<storage, read> mask: array<u32>;
@group(0) @binding(7) var<storage, read_write> written: array<u32>;

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

/// Writes the rows from m on of the vectors n and n + WORKGROUP_X of columns.
fn store(tile: Tile, m: u32, n: u32) {
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
      let value = masked(epilogue(rows[i], column, at), row, column, width);
      y[at] = value;
      bits |= select(vec2u(insideBits(value), 0u), vec2u(0u, insideBits(value)), i % 2u == 1u) << vec2u(4u * (i / 2u));
    }
  }
  if (MASK_BELOW > 1u) {
    written[m / 8u * width + n] = bits.x;
    if (n + WORKGROUP_X < width) { written[m / 8u * width + n + WORKGROUP_X] = bits.y; }
  }
}

/// Where the four rows of a from m on begin.
fn rowStarts(m: u32) -> vec4u {
  return min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(params.rows - 1u)) * params.inner;
}

fn gatherA(starts: vec4u, k: u32) -> vec4f {
  return vec4f(a[starts.x + k], a[starts.y + k], a[starts.z + k], a[starts.w + k]);
}

fn gatherB(starts: vec4u, k: u32) -> vec4f {
  return vec4f(b[starts.x + k], b[starts.y + k], b[starts.z + k], b[starts.w + k]);
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
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  for (var k = 0u; k < params.inner; k++) {
    let b0 = bVectors[k * width + n];
    let b1 = bVectors[k * width + next];
    let low = gatherA(lowRows, k);
    let high = gatherA(highRows, k);
    low0 += outer(low, b0);
    low1 += outer(low, b1);
    high0 += outer(high, b0);
    high1 += outer(high, b1);
  }
  store(Tile(low0, low1, high0, high1), m, n);
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
  let columns0 = (n * 4u + vec4u(0u, 1u, 2u, 3u)) * params.inner;
  let columns1 = (next * 4u + vec4u(0u, 1u, 2u, 3u)) * params.inner;
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  for (var k = 0u; k < params.inner; k++) {
    let b0 = gatherB(columns0, k);
    let b1 = gatherB(columns1, k);
    let low = gatherA(lowRows, k);
    let high = gatherA(highRows, k);
    low0 += outer(low, b0);
    low1 += outer(low, b1);
    high0 += outer(high, b0);
    high1 += outer(high, b1);
  }
  store(Tile(low0, low1, high0, high1), m, n);
}

/// Writes the rows from k on of the vectors n and n + WORKGROUP_X of columns of a split's partial sum.
fn storePartial(tile: Tile, split: u32, k: u32, n: u32) {
  let width = params.columns / 4u;
  let rows = rowsOf(tile);
  let start = ROLLED * params.columns;
  let end = start + vectorsOf(params.inner - k);
  for (var j = start; j < end; j++) {
    let i = j - start;
    let row = k + i / 2u;
    let column = n + i % 2u * WORKGROUP_X;
    if (row < params.inner && column < width) { y[(split * params.inner + row) * width + column] = rows[i]; }
  }
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn outerProduct(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let width = params.columns / 4u;
  let height = params.inner / 4u;
  let k = (group.y * WORKGROUP_Y + local.y) * 2u;
  let n = group.x * WORKGROUP_X * 2u + local.x;
  if (n >= width || k >= height) { return; }
  let next = min(n + WORKGROUP_X, width - 1u);
  let below = min(k + 1u, height - 1u);
  let first = group.z * params.splitLength;
  let last = min(first + params.splitLength, params.rows);
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  for (var m = first; m < last; m++) {
    let b0 = bVectors[m * width + n];
    let b1 = bVectors[m * width + next];
    let low = aVectors[m * height + k];
    let high = aVectors[m * height + below];
    low0 += outer(low, b0);
    low1 += outer(low, b1);
    high0 += outer(high, b0);
    high1 += outer(high, b1);
  }
  storePartial(Tile(low0, low1, high0, high1), group.z, k * 4u, n);
}
