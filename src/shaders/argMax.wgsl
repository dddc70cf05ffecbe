// Position of the first maximum along neighbouring axes, x seen as [outer, reduced, inner]:
//   argMax:   y[o, i] = the least r with x[o, r, i] = max_k x[o, k, i]
// LANES invocations share a line: lane l takes the elements l, l + LANES, …, then a tree compares the lanes; equal values go
// to the lesser position, so the result does not depend on LANES. Short lines use one lane. A NaN is the greatest.
// Bytes: x read once, 4 written per line. FLOPs: 1 per element.

struct Params {
  outer: u32,
  reduced: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

override WORKGROUP: u32 = 64;
override LANES: u32 = 1; // a power of two, at most WORKGROUP

var<workgroup> values: array<f32, WORKGROUP>;
var<workgroup> positions: array<u32, WORKGROUP>;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// Whether a value at position p comes before another one: greater, or equal and earlier.
fn precedes(value: f32, p: u32, other: f32, q: u32) -> bool {
  if (isNan(value) || isNan(other)) { return isNan(value) && (!isNan(other) || p < q); }
  return value > other || (value == other && p < q);
}

@compute @workgroup_size(WORKGROUP)
fn argMax(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local % LANES;
  let line = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let exists = line < params.outer * params.inner;
  if (exists) {
    let base = line / params.inner * params.reduced * params.inner + line % params.inner;
    var position = min(lane, params.reduced - 1u);
    var best = x[base + position * params.inner];
    for (var r = lane + LANES; r < params.reduced; r += LANES) {
      let value = x[base + r * params.inner];
      if (precedes(value, r, best, position)) {
        best = value;
        position = r;
      }
    }
    values[local] = best;
    positions[local] = position;
  }
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    let other = local + step;
    if (exists && lane < step && precedes(values[other], positions[other], values[local], positions[local])) {
      values[local] = values[other];
      positions[local] = positions[other];
    }
    workgroupBarrier();
  }
  if (exists && lane == 0u) { y[line] = i32(positions[local]); }
}
