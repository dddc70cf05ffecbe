// The gradient of a clipped activation from its output y:
//   relu:  dx[i] = dy[i] where 0 < y[i], else 0        relu6:  dx[i] = dy[i] where 0 < y[i] < 6, else 0
// One invocation computes one element; in the `…Vectors` entry points it walks vectors of four that lie a grid apart.
// Bytes: 8 read and 4 written per element. FLOPs: 1 per element.
// Gain: `…Vectors` against the scalar entry point: 3 times faster on SwiftShader and on lavapipe (docs/decisions/031).

struct Params {
  count: u32, // elements, or vectors of four
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> yVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> dyVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dxVectors: array<vec4f>;

override WORKGROUP: u32 = 64;

// Compares bits, so that a NaN in y counts as outside on every driver: positive floats order like integers.
fn insideBits(value: f32, high: u32) -> bool {
  let bits = bitcast<u32>(value);
  return bits > 0u && bits < high;
}

fn areInsideBits(value: vec4f, high: u32) -> vec4<bool> {
  // Zero wraps round to the largest number.
  return bitcast<vec4u>(value) - vec4u(1u) < vec4u(high - 1u);
}

@compute @workgroup_size(WORKGROUP)
fn reluMask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  dx[i] = select(0.0, dy[i], insideBits(y[i], 0x7f800001u));
}

@compute @workgroup_size(WORKGROUP)
fn relu6Mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  dx[i] = select(0.0, dy[i], insideBits(y[i], 0x40c00000u));
}

@compute @workgroup_size(WORKGROUP)
fn reluMaskVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    dxVectors[i] = select(vec4f(), dyVectors[i], areInsideBits(yVectors[i], 0x7f800001u));
  }
}

@compute @workgroup_size(WORKGROUP)
fn relu6MaskVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    dxVectors[i] = select(vec4f(), dyVectors[i], areInsideBits(yVectors[i], 0x40c00000u));
  }
}
