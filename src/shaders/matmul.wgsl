// Matrix products, naive: one invocation computes one output and states the formula.
//   product:            y[m, n] = Σ_k a[m, k] · b[k, n]
//   transposedProduct:  y[m, n] = Σ_k a[m, k] · b[n, k]
//   outerProduct:       y[s, k, n] = Σ_m a[m, k] · b[m, n]   over the rows m of split s
// a: row-major rows (all leading axes of NHWC), b: row-major.  Neighbouring invocations take neighbouring n, so they read neighbours.
// Epilogue: y = activation(y + bias[n]) + residual[m, n].
// FLOPs: 2·rows·inner·columns.  Bytes at least: both operands and the result once.

struct Params {
  rows: u32,
  inner: u32,
  columns: u32,
  splitLength: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override BIAS: u32 = 0;       // 1: add bias[n]
override ACTIVATION: u32 = 0; // 1: relu, 2: relu6
override RESIDUAL: u32 = 0;   // 1: add residual[m, n] last
override WORKGROUP: u32 = 64;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn epilogue(total: f32, n: u32, at: u32) -> f32 {
  var value = total;
  if (BIAS == 1u) { value += bias[n]; }
  if (ACTIVATION == 1u) { value = select(max(value, 0.0), value, isNan(value)); }
  if (ACTIVATION == 2u) { value = select(min(max(value, 0.0), 6.0), value, isNan(value)); }
  if (RESIDUAL == 1u) { value += residual[at]; }
  return value;
}

@compute @workgroup_size(WORKGROUP)
fn product(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.rows * params.columns) { return; }
  let n = at % params.columns;
  let m = at / params.columns;
  var total = 0.0;
  for (var k = 0u; k < params.inner; k++) {
    total += a[m * params.inner + k] * b[k * params.columns + n];
  }
  y[at] = epilogue(total, n, at);
}

@compute @workgroup_size(WORKGROUP)
fn transposedProduct(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.rows * params.columns) { return; }
  let n = at % params.columns;
  let m = at / params.columns;
  var total = 0.0;
  for (var k = 0u; k < params.inner; k++) {
    total += a[m * params.inner + k] * b[n * params.inner + k];
  }
  y[at] = epilogue(total, n, at);
}

@compute @workgroup_size(8, 8)
fn outerProduct(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  let k = id.y;
  if (n >= params.columns || k >= params.inner) { return; }
  let first = id.z * params.splitLength;
  let last = min(first + params.splitLength, params.rows);
  var total = 0.0;
  for (var m = first; m < last; m++) {
    total += a[m * params.inner + k] * b[m * params.columns + n];
  }
  y[(id.z * params.inner + k) * params.columns + n] = total;
}
