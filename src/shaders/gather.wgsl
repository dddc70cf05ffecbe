// Reads or writes one position per line, x seen as [outer, reduced, inner] and index as [outer, inner]:
//   gather:    y[o, i] = x[o, index[o, i], i]                          one invocation per (o, i)
//   scatter:   y[o, r, i] = x[o, i] where r = index[o, i], else 0      one invocation per (o, r, i)
// An index outside [0, reduced) gives NaN: the element (gather), or its whole line (scatter). No FLOPs.
// Bytes: gather 12 per line; scatter 4 per element and 8 per line.

struct Params {
  outer: u32,
  reduced: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

fn notANumber() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.outer * params.inner) { return; }
  let r = bitcast<u32>(index[at]); // a negative index becomes a large one
  if (r >= params.reduced) {
    y[at] = notANumber();
    return;
  }
  let o = at / params.inner;
  let i = at % params.inner;
  y[at] = x[(o * params.reduced + r) * params.inner + i];
}

@compute @workgroup_size(WORKGROUP)
fn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.outer * params.reduced * params.inner) { return; }
  let i = at % params.inner;
  let rest = at / params.inner;
  let r = rest % params.reduced;
  let line = rest / params.reduced * params.inner + i;
  let chosen = bitcast<u32>(index[line]);
  if (chosen >= params.reduced) {
    y[at] = notANumber();
    return;
  }
  y[at] = select(0.0, x[line], r == chosen);
}
