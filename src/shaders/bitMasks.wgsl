// One bit per element for the backward of a clipped activation, so that the activation itself can be freed after the forward.
//   pack:   bit of y[m, n] = 0 < y[m, n] < the float whose bits are `below`
//   apply:  dx[m, n] = dy[m, n] where its bit is set, else 0
// y seen as [rows, columns]. One word holds `maskRows` (at most 8) rows of a vector of four columns: row m, column n is bit
// 4 · (m mod maskRows) + n mod 4 of word ⌊m / maskRows⌋ · columns / 4 + ⌊n / 4⌋. An invocation of a product or a convolution that
// computes such a block owns its word, so epilogues write masks as well; pack and apply are for values that have no such kernel.
// One invocation packs one word, or applies four bits; neighbours take neighbouring vectors of columns.
// Bytes: 4 read per element and 1/8 written; apply 4 1/8 read and 4 written. FLOPs: 1 per element.
// Gain: the input gradient of MobileNetV2 keeps 7.2 MiB of activations an image instead of 23.9, in 110 dispatches instead of 142
// (docs/decisions/036).

struct Params {
  rows: u32,
  vectors: u32, // columns / 4
  words: u32,   // with those behind the last row, which are zero
  maskRows: u32,
  below: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // y, or dy
@group(0) @binding(2) var<storage, read> bits: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;

override WORKGROUP: u32 = 64;

const lanes = vec4u(1u, 2u, 4u, 8u);

// Positive floats order like integers; zero wraps round to the largest number, and a NaN is above every float.
fn insideBits(value: vec4f) -> u32 {
  return dot(select(vec4u(), lanes, bitcast<vec4u>(value) - vec4u(1u) < vec4u(params.below - 1u)), vec4u(1u));
}

@compute @workgroup_size(WORKGROUP)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.words) { return; }
  let n = i % params.vectors;
  let first = i / params.vectors * params.maskRows;
  let last = min(first + params.maskRows, params.rows);
  var word = 0u;
  for (var m = first; m < last; m++) {
    word |= insideBits(x[m * params.vectors + n]) << (4u * (m - first));
  }
  words[i] = word;
}

@compute @workgroup_size(WORKGROUP)
fn apply(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.rows * params.vectors) { return; }
  let m = i / params.vectors;
  let word = bits[m / params.maskRows * params.vectors + i % params.vectors];
  dx[i] = select(vec4f(), x[i], (vec4u(word >> (4u * (m % params.maskRows))) & lanes) != vec4u());
}
