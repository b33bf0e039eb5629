// global_avg_pool2d: y[n,c] = mean of x[n,c,:,:]; dx = dy / (H*W) everywhere. x: [N,C,H,W], y: [N,C,1,1].
// Memory-bound, 4 B an element.
#import lib/index
#import lib/epilogue

struct Params {
    planes: u32,     // N*C
    plane: u32,      // H*W
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.planes {
        return;
    }
    var sum = 0.0;
    for (var p = 0u; p < params.plane; p++) {
        sum += x[i * params.plane + p];
    }
    y[i] = sum / f32(params.plane);
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.planes * params.plane {
        dx[i] = epilogue(dy[i / params.plane] / f32(params.plane), i);
    }
}
