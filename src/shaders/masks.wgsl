// One invocation computes one element of the gradient of a clipped activation from its output y:
//   relu:  dx[i] = dy[i] where 0 < y[i], else 0        relu6:  dx[i] = dy[i] where 0 < y[i] < 6, else 0
// Bytes: 8 read and 4 written per element.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

override WORKGROUP: u32 = 64;

// Compares bits, so that a NaN in y counts as outside on every driver: positive floats order like integers.
fn insideBits(value: f32, high: u32) -> bool {
  let bits = bitcast<u32>(value);
  return bits > 0u && bits < high;
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
