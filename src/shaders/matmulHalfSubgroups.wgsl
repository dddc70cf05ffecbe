// Matrix products with weights of two bytes in register tiles whose numbers of a are read once per subgroup of eight lanes.
// For software adapters: there a load costs as much as a dozen multiply-adds, and a vector of four halves is half a load of four floats.
//   product:            y[m, n] = scales[n] · Σ_k a[m, k] · h[k, n]
//   transposedProduct:  y[m, n] = Σ_k a[m, k] · (scales[k] · h[n, k])
//   rowProduct:         product and, with TRANSPOSED = 1, transposedProduct of one row
// h and scales as in matmulHalf.wgsl, tile and lanes as in matmulSubgroups.wgsl: 16 rows × 32 columns a subgroup, four terms of the sums
// at a time. Sums run in the order of matmulHalf.wgsl and give the same bits. inner and columns must be multiples of 4. Rows and columns
// past the end are read from the last one and not written. A workgroup is one subgroup. FLOPs and bytes as in matmulHalf.wgsl.
// Gain: on lavapipe 1.6 to 2.2 times faster than the tile of matmulHalf.wgsl (docs/decisions/039).
// Epilogue: y = activation(y + bias[n]) + residual[m, n], then zero where a bit of mask is not set.
enable subgroups;

struct Params {
  rows: u32,
  inner: u32,
  columns: u32,
  // What is done to a sum; no overrides, so that all products share a pipeline: its drivers take long to compile one.
  bias: u32,       // 1: add bias[n]
  activation: u32, // 1: relu, 2: relu6
  residual: u32,   // 1: add residual[m, n] last
  mask: u32,       // 1: then keep what the bits of mask say (bitMasks.wgsl)
  maskRows: u32,   // rows per word of mask
  maskBelow: u32,  // above 1: writes the bits of 0 < result < the float with these bits, eight rows per word
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> aVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> halves: array<vec2u>;
@group(0) @binding(3) var<storage, read> scales: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<storage, read> mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> written: array<u32>;

override TRANSPOSED: u32 = 0; // of rowProduct, 1: h[n, k]

/// Lanes of a subgroup.
const lanes = 8u;

fn isNan(value: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

const columns = vec4u(1u, 2u, 4u, 8u);

/// Keeps the columns whose bit is set for this row and vector of columns.
fn masked(value: vec4f, row: u32, n: u32) -> vec4f {
  if (params.mask == 0u) { return value; }
  let bits = mask[row / params.maskRows * (params.columns / 4u) + n] >> (4u * (row % params.maskRows));
  return select(vec4f(), value, (vec4u(bits) & columns) != vec4u());
}

/// Four bits for the mask of the result.
fn insideBits(value: vec4f) -> u32 {
  if (params.maskBelow == 1u) { return 0u; }
  return dot(select(vec4u(), columns, bitcast<vec4u>(value) - vec4u(1u) < vec4u(params.maskBelow - 1u)), vec4u(1u));
}

/// The bias of four columns, read once for all rows.
fn shiftOf(n: u32) -> vec4f {
  if (params.bias == 1u) { return bias[n]; }
  return vec4f();
}

fn epilogue(total: vec4f, shift: vec4f, at: u32) -> vec4f {
  var value = total;
  if (params.bias == 1u) { value += shift; }
  if (params.activation == 1u) { value = select(max(value, vec4f()), value, isNan(value)); }
  if (params.activation == 2u) { value = select(min(max(value, vec4f()), vec4f(6.0)), value, isNan(value)); }
  if (params.residual == 1u) { value += residual[at]; }
  return value;
}

/// Sixteen rows of one vector of columns.
struct Tile {
  row0: vec4f,
  row1: vec4f,
  row2: vec4f,
  row3: vec4f,
  row4: vec4f,
  row5: vec4f,
  row6: vec4f,
  row7: vec4f,
  row8: vec4f,
  row9: vec4f,
  row10: vec4f,
  row11: vec4f,
  row12: vec4f,
  row13: vec4f,
  row14: vec4f,
  row15: vec4f,
}

/// Four terms of a sum, one after the other: factors[i] · terms[i].
fn addTerms(total: vec4f, factors: vec4f, terms: mat4x4f) -> vec4f {
  return (((total + factors.x * terms[0]) + factors.y * terms[1]) + factors.z * terms[2]) + factors.w * terms[3];
}

/// Four terms in every row: lane l has the factors of rows l (low) and 8 + l (high).
fn addToRows(tile: Tile, low: vec4f, high: vec4f, terms: mat4x4f) -> Tile {
  return Tile(
    addTerms(tile.row0, subgroupBroadcast(low, 0u), terms),
    addTerms(tile.row1, subgroupBroadcast(low, 1u), terms),
    addTerms(tile.row2, subgroupBroadcast(low, 2u), terms),
    addTerms(tile.row3, subgroupBroadcast(low, 3u), terms),
    addTerms(tile.row4, subgroupBroadcast(low, 4u), terms),
    addTerms(tile.row5, subgroupBroadcast(low, 5u), terms),
    addTerms(tile.row6, subgroupBroadcast(low, 6u), terms),
    addTerms(tile.row7, subgroupBroadcast(low, 7u), terms),
    addTerms(tile.row8, subgroupBroadcast(high, 0u), terms),
    addTerms(tile.row9, subgroupBroadcast(high, 1u), terms),
    addTerms(tile.row10, subgroupBroadcast(high, 2u), terms),
    addTerms(tile.row11, subgroupBroadcast(high, 3u), terms),
    addTerms(tile.row12, subgroupBroadcast(high, 4u), terms),
    addTerms(tile.row13, subgroupBroadcast(high, 5u), terms),
    addTerms(tile.row14, subgroupBroadcast(high, 6u), terms),
    addTerms(tile.row15, subgroupBroadcast(high, 7u), terms),
  );
}

fn rowsOf(tile: Tile) -> array<vec4f, 16> {
  return array<vec4f, 16>(
    tile.row0, tile.row1, tile.row2, tile.row3, tile.row4, tile.row5, tile.row6, tile.row7,
    tile.row8, tile.row9, tile.row10, tile.row11, tile.row12, tile.row13, tile.row14, tile.row15,
  );
}

/// Writes the rows from m on of the vector n of columns times its scale, in a loop, because a driver compiles every store for each lane.
/// The loop counts addresses: Mesa unrolls one that counts an array's elements.
fn store(tile: Tile, m: u32, n: u32, scale: vec4f) {
  let width = params.columns / 4u;
  if (n >= width) { return; }
  let rows = rowsOf(tile);
  let shift = shiftOf(n);
  let end = min(m + 2u * lanes, params.rows) * width;
  var i = 0u;
  var bits = vec2u(); // of the lower and the upper eight rows
  for (var at = m * width + n; at < end; at += width) {
    let value = masked(epilogue(rows[i] * scale, shift, at), m + i, n);
    y[at] = value;
    bits |= select(vec2u(insideBits(value), 0u), vec2u(0u, insideBits(value)), i >= 8u) << vec2u(4u * (i % 8u));
    i++;
  }
  if (params.maskBelow > 1u) {
    let word = m / 8u * width + n;
    written[word] = bits.x;
    if (m + 8u < params.rows) { written[word + width] = bits.y; }
  }
}

fn fourOf(words: vec2u) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

/// h[k … k + 3, n]: four lines of a vector of columns.
fn lines(k: u32, n: u32, width: u32) -> mat4x4f {
  let at = k * width + n;
  return mat4x4f(fourOf(halves[at]), fourOf(halves[at + width]), fourOf(halves[at + 2u * width]), fourOf(halves[at + 3u * width]));
}

/// The same where h is stored as [n, k], times the scales of the lines.
fn transposedLines(k: u32, n: u32) -> mat4x4f {
  let inner = params.inner / 4u;
  let at = n * params.inner + k / 4u;
  let scale = scales[k / 4u];
  let columns = mat4x4f(
    scale * fourOf(halves[at]), scale * fourOf(halves[at + inner]), scale * fourOf(halves[at + 2u * inner]), scale * fourOf(halves[at + 3u * inner]),
  );
  return transpose(columns);
}

/// Where the row of a lane begins, in vectors.
fn rowStart(m: u32) -> u32 {
  return min(m, params.rows - 1u) * (params.inner / 4u);
}

@compute @workgroup_size(lanes)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.columns / 4u;
  let m = group.y * 2u * lanes;
  let n = group.x * lanes + lane;
  let low = rowStart(m + lane);
  let high = rowStart(m + lanes + lane);
  var tile = Tile();
  for (var k = 0u; k < params.inner; k += 4u) {
    tile = addToRows(tile, aVectors[low + k / 4u], aVectors[high + k / 4u], lines(k, min(n, width - 1u), width));
  }
  store(tile, m, n, scales[min(n, width - 1u)]);
}

@compute @workgroup_size(lanes)
fn transposedProduct(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.columns / 4u;
  let m = group.y * 2u * lanes;
  let n = group.x * lanes + lane;
  let low = rowStart(m + lane);
  let high = rowStart(m + lanes + lane);
  var tile = Tile();
  for (var k = 0u; k < params.inner; k += 4u) {
    tile = addToRows(tile, aVectors[low + k / 4u], aVectors[high + k / 4u], transposedLines(k, min(n, width - 1u)));
  }
  store(tile, m, n, vec4f(1.0));
}

@compute @workgroup_size(lanes)
fn rowProduct(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let width = params.columns / 4u;
  let n = group.x * lanes + lane;
  if (n >= width) { return; }
  var total = vec4f();
  for (var k = 0u; k < params.inner; k += 4u) {
    if (TRANSPOSED == 1u) {
      total = addTerms(total, aVectors[k / 4u], transposedLines(k, n));
    } else {
      total = addTerms(total, aVectors[k / 4u], lines(k, n, width));
    }
  }
  let scaled = total * select(scales[n], vec4f(1.0), TRANSPOSED == 1u);
  let value = masked(epilogue(scaled, shiftOf(n), n), 0u, n);
  y[n] = value;
  if (params.maskBelow > 1u) { written[n] = insideBits(value); }
}
