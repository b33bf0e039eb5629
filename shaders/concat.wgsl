// concat: one input of a concatenation along the channels. forward: x goes to its channels of y; backward: dx = its channels of dy.
// x, dx: [N,C,H,W]; y, dy: [N,STORED,H,W]. x, y, z of the grid are the place in the plane, the channel and the image.
// Memory-bound, 8 B an element; not needed where a convolution writes to its channels in place.
#import lib/epilogue

struct Params {
    channels: u32,        // C
    channel_offset: u32,  // channel of y at which x begins
    channel_stride: u32,  // channels of y
    plane: u32,           // H*W
    epilogue: u32,
}

const WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

// Places in x and in y.
fn places(id: vec3u) -> vec2u {
    let in_x = id.z * params.channels + id.y;
    let in_y = id.z * params.channel_stride + params.channel_offset + id.y;
    return vec2u(in_x, in_y) * params.plane + id.x;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < params.plane {
        let at = places(id);
        y[at.y] = x[at.x];
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < params.plane {
        let at = places(id);
        dx[at.x] = epilogue(dy[at.y], at.x);
    }
}
