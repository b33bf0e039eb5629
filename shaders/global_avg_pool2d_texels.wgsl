// global_avg_pool2d_texels: y[n,c] = mean of x[n,c,:,:]; dx = dy / (H*W) everywhere. x, dx: [N,ceil(C/4),H,W] of vec4f,
// y, dy: [N,C] in buffers. Memory-bound.
#import lib/texels

struct Params {
    channels: u32,
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;

// x and y of the grid are the quad of channels and the image.
@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.quads {
        return;
    }
    let plane = params.plane;
    let first = (id.y * params.quads + id.x) * plane;
    var sum = vec4f();
    for (var p = 0u; p < plane; p++) {
        sum += load(first + p);
    }
    for (var k = 0u; k < 4u; k++) {
        let channel = 4u * id.x + k;
        if channel < params.channels {
            mean[id.y * params.channels + channel] = sum[k] / f32(plane);
        }
    }
}

// x, y and z of the grid are the place, the quad of channels and the image.
@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    var v = vec4f();
    for (var k = 0u; k < 4u; k++) {
        let channel = 4u * id.y + k;
        if channel < params.channels {
            v[k] = dy[id.z * params.channels + channel] / f32(params.plane);
        }
    }
    let to = (id.z * params.quads + id.y) * params.plane + id.x;
    store(to, epilogue(v, to));
}
