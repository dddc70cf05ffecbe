// Conversions between element types.
//   u8ToF32:    y[4w + k] = byte k of word w          one invocation per word; u8 is packed four to a word, little endian
//   i32ToF32:   y[i] = x[i], rounded to nearest        one invocation per element
//   f32ToI32:   y[i] = x[i] without its fraction       clamped to [−2³¹, 2147483520]; NaN gives −2³¹
// The `…Vectors` entry points give the same bits: one invocation walks vectors of four outputs that lie a grid apart.
// Words are read and written as u32, so that one binding fits every type. Bytes: 5 per element from u8, else 8. FLOPs: 1 per element.
// Gain: measured with the other vector kernels only, a training step of a small network 1.7 times as fast (docs/decisions/031).

struct Params {
  count: u32, // elements, or vectors of four
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(1) var<storage, read> xVectors: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> yVectors: array<vec4u>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn u8ToF32(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let word = id.x + id.y * groups.x * WORKGROUP;
  let first = 4u * word;
  if (first >= params.count) { return; }
  let bytes = x[word];
  // The last word may be partial.
  for (var k = 0u; k < min(4u, params.count - first); k++) {
    y[first + k] = bitcast<u32>(f32((bytes >> (8u * k)) & 0xffu));
  }
}

@compute @workgroup_size(WORKGROUP)
fn i32ToF32(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = bitcast<u32>(f32(bitcast<i32>(x[i])));
}

@compute @workgroup_size(WORKGROUP)
fn f32ToI32(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let isNan = (x[i] & 0x7fffffffu) > 0x7f800000u;
  let whole = i32(clamp(bitcast<f32>(x[i]), -2147483648.0, 2147483520.0));
  y[i] = select(bitcast<u32>(whole), 0x80000000u, isNan);
}

@compute @workgroup_size(WORKGROUP)
fn u8ToF32Vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let bytes = (vec4u(x[i]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu);
    yVectors[i] = bitcast<vec4u>(vec4f(bytes));
  }
}

@compute @workgroup_size(WORKGROUP)
fn i32ToF32Vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = bitcast<vec4u>(vec4f(bitcast<vec4i>(xVectors[i])));
  }
}

@compute @workgroup_size(WORKGROUP)
fn f32ToI32Vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let bits = xVectors[i];
    let areNan = (bits & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
    let whole = vec4i(clamp(bitcast<vec4f>(bits), vec4f(-2147483648.0), vec4f(2147483520.0)));
    yVectors[i] = select(bitcast<vec4u>(whole), vec4u(0x80000000u), areNan);
  }
}
