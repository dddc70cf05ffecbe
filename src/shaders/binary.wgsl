// One invocation computes one element of  y[i] = f(a[i], b[i]).
// The `…Vectors` entry points give the same bits: one invocation walks vectors of four that lie a grid apart.
// The `…Broadcast` entry points walk both operands with strides over four merged axes (0 where an operand repeats).
// Bytes: each operand read once, 4 written per element. FLOPs: 1 per element.
// Gain: `addVectors` against `add`: 2.6 times faster on SwiftShader, 3.8 on lavapipe (docs/decisions/031).

struct Params {
  count: u32, // elements, or vectors of four
  size1: u32, size2: u32, size3: u32,
  strideA0: u32, strideA1: u32, strideA2: u32, strideA3: u32,
  strideB0: u32, strideB1: u32, strideB2: u32, strideB3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> aVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> bVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> yVectors: array<vec4f>;

override WORKGROUP: u32 = 64;

// The positions of element i in a and in b.
fn positions(i: u32) -> vec2u {
  let p3 = i % params.size3;
  let rest3 = i / params.size3;
  let p2 = rest3 % params.size2;
  let rest2 = rest3 / params.size2;
  let p1 = rest2 % params.size1;
  let p0 = rest2 / params.size1;
  return vec2u(
    p0 * params.strideA0 + p1 * params.strideA1 + p2 * params.strideA2 + p3 * params.strideA3,
    p0 * params.strideB0 + p1 * params.strideB1 + p2 * params.strideB2 + p3 * params.strideB3,
  );
}

@compute @workgroup_size(WORKGROUP)
fn add(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = a[i] + b[i];
}

@compute @workgroup_size(WORKGROUP)
fn addBroadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let at = positions(i);
  y[i] = a[at.x] + b[at.y];
}

@compute @workgroup_size(WORKGROUP)
fn subtract(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = a[i] - b[i];
}

@compute @workgroup_size(WORKGROUP)
fn subtractBroadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let at = positions(i);
  y[i] = a[at.x] - b[at.y];
}

@compute @workgroup_size(WORKGROUP)
fn multiply(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = a[i] * b[i];
}

@compute @workgroup_size(WORKGROUP)
fn multiplyBroadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let at = positions(i);
  y[i] = a[at.x] * b[at.y];
}

@compute @workgroup_size(WORKGROUP)
fn divide(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = a[i] / b[i];
}

@compute @workgroup_size(WORKGROUP)
fn divideBroadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let at = positions(i);
  y[i] = a[at.x] / b[at.y];
}

@compute @workgroup_size(WORKGROUP)
fn addVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = aVectors[i] + bVectors[i];
  }
}

@compute @workgroup_size(WORKGROUP)
fn subtractVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = aVectors[i] - bVectors[i];
  }
}

@compute @workgroup_size(WORKGROUP)
fn multiplyVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = aVectors[i] * bVectors[i];
  }
}

@compute @workgroup_size(WORKGROUP)
fn divideVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = aVectors[i] / bVectors[i];
  }
}
