// texels_folded: two rows and two columns of each channel in a texel: folded[n,c,i,j] = x[n,c] at (2i,2j), (2i,2j+1), (2i+1,2j),
// (2i+1,2j+1), zero past the border. unfold: the way back, x = sink(folded). x: [N,C,H,W], folded: [N,C,ceil(H/2),ceil(W/2)].
// x, y, z of the grid are the position in the folded plane, the channel and the image. Memory-bound.
#import lib/sink
#import lib/texel

struct Params {
    channels: u32,
    h: u32,          // of x
    w: u32,
    folded_h: u32,
    folded_w: u32,
    sink: u32,       // unfold
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var packed: texture_storage_2d<rgba32float, write>;
@group(0) @binding(3) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn fold(@builtin(global_invocation_id) id: vec3u) {
    let plane = params.folded_h * params.folded_w;
    if id.x >= plane {
        return;
    }
    let row = id.x / params.folded_w;
    let col = id.x - row * params.folded_w;
    let channel = id.z * params.channels + id.y;
    var v = vec4f();
    for (var k = 0u; k < 4u; k++) {
        let at = vec2u(2u * row + k / 2u, 2u * col + k % 2u);
        if at.x < params.h && at.y < params.w {
            v[k] = x[(channel * params.h + at.x) * params.w + at.y];
        }
    }
    textureStore(packed, texel(channel * plane + id.x), v);
}

@compute @workgroup_size(8)
fn unfold(@builtin(global_invocation_id) id: vec3u) {
    let plane = params.folded_h * params.folded_w;
    if id.x >= plane {
        return;
    }
    let row = id.x / params.folded_w;
    let col = id.x - row * params.folded_w;
    let channel = id.z * params.channels + id.y;
    let v = textureLoad(texels, texel(channel * plane + id.x));
    for (var k = 0u; k < 4u; k++) {
        let at = vec2u(2u * row + k / 2u, 2u * col + k % 2u);
        if at.x < params.h && at.y < params.w {
            let to = (channel * params.h + at.x) * params.w + at.y;
            y[to] = sink(v[k], to);
        }
    }
}
