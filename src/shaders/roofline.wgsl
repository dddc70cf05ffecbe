// What the adapter can do at best, to judge kernels by (Williams, Waterman and Patterson, "Roofline", CACM 2009).
//   copy:          y[i] = x[i], four numbers per invocation                      Bytes: 32 per invocation. No FLOPs.
//   multiplyAdd:   four chains v = v · x[i] + x[i], each ROUNDS times; y[i] is their sum
//                  FLOPs: 32 · ROUNDS per invocation (4 chains · 4 lanes · 2). Bytes: as copy.
// One invocation works on one vector of four numbers. The chains do not depend on each other, so that an arithmetic unit never waits for its own result.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

override WORKGROUP: u32 = 64;
override ROUNDS: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = x[i];
}

@compute @workgroup_size(WORKGROUP)
fn multiplyAdd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let a = x[i];
  var v0 = a;
  var v1 = a + 1.0;
  var v2 = a + 2.0;
  var v3 = a + 3.0;
  for (var round = 0u; round < ROUNDS; round++) {
    v0 = fma(v0, a, a);
    v1 = fma(v1, a, a);
    v2 = fma(v2, a, a);
    v3 = fma(v3, a, a);
  }
  y[i] = v0 + v1 + v2 + v3;
}
