// add: y = x + z, or max(x + z, 0); both gradients are dy itself, so there is no backward kernel. x, y, z: [N,C,H,W].
// Memory-bound, 12 B an element.
#import lib/index
#import lib/nan

struct Params {
    len: u32,
    relu: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let sum = x[i] + z[i];
        y[i] = select(sum, rectified(sum), params.relu != 0u);
    }
}
