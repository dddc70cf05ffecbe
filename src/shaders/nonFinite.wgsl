// Counts the numbers that are NaN or infinite:  y[s] = how many of x[s], x[s + splits], x[s + 2·splits], … are not finite.
// One invocation per partial count. Tests the exponent bits: comparisons with a NaN are not reliable on every driver.
// Bytes: 4 read per element. FLOPs: 1 per element.

struct Params {
  count: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn nonFinite(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let s = id.x + id.y * groups.x * WORKGROUP;
  if (s >= params.splits) { return; }
  var total = 0u;
  for (var i = s; i < params.count; i += params.splits) {
    total += select(0u, 1u, (bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u);
  }
  y[s] = f32(total);
}
