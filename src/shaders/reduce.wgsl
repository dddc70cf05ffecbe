// Sums over neighbouring axes, x seen as [outer, reduced, inner].
//   partialSum:  y[o, s, i] = factor · Σ_k x[o, s + k·splits, i]     one invocation per output, k in order
//   expand:      y[o, r, i] = factor · x[o, i]                       one invocation per output
// Neighbouring invocations read neighbouring elements: along `inner`, or along the partial sums where inner is 1.
// The `…Vectors` entry points, for `inner` in multiples of four, give the same bits: partialSumVectors adds four neighbours at
// once, and in expandVectors an invocation keeps four numbers and writes them to rows that lie a grid apart.
// No atomics: the order of a sum depends on the shape alone. Bytes: x read once, y written once.
// FLOPs: partialSum 1 per element of x, expand 1 per element of y.
// Gain: `…Vectors` against the scalar entry points: partialSum 2.2 times faster on SwiftShader, 1.6 on lavapipe; expand 7 and 8
// (docs/decisions/031).

struct Params {
  outer: u32,
  reduced: u32,
  inner: u32,
  splits: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> xVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> yVectors: array<vec4f>;

override WORKGROUP: u32 = 64;
override WORKGROUP_X: u32 = 4;
override WORKGROUP_Y: u32 = 16;

@compute @workgroup_size(WORKGROUP)
fn partialSum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.outer * params.splits * params.inner) { return; }
  let i = at % params.inner;
  let rest = at / params.inner;
  let s = rest % params.splits;
  let o = rest / params.splits;
  let base = o * params.reduced * params.inner + i;
  var total = 0.0;
  for (var r = s; r < params.reduced; r += params.splits) {
    total += x[base + r * params.inner];
  }
  y[at] = total * params.factor;
}

@compute @workgroup_size(WORKGROUP)
fn partialSumVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.inner / 4u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.outer * params.splits * width) { return; }
  let i = at % width;
  let rest = at / width;
  let s = rest % params.splits;
  let o = rest / params.splits;
  let base = o * params.reduced * width + i;
  var total = vec4f();
  for (var r = s; r < params.reduced; r += params.splits) {
    total += xVectors[base + r * width];
  }
  yVectors[at] = total * params.factor;
}

@compute @workgroup_size(WORKGROUP)
fn expand(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.outer * params.reduced * params.inner) { return; }
  let i = at % params.inner;
  let o = at / params.inner / params.reduced;
  y[at] = x[o * params.inner + i] * params.factor;
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn expandVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.inner / 4u;
  let base = id.x / width * params.reduced * width + id.x % width;
  let value = xVectors[id.x] * params.factor;
  for (var r = id.y; r < params.reduced; r += groups.y * WORKGROUP_Y) {
    yVectors[base + r * width] = value;
  }
}
