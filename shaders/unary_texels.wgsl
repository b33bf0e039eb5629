// unary_texels: as unary, four channels at a time. x, dy and y or y = dx: [N,ceil(C/4),H,W] of vec4f. Channels past C stay zero, because
// f(0) may be anything. x, y, z of the grid are the position in the plane, the quad of channels and the image. Memory-bound.
#import lib/texels
#import lib/unary

struct Params {
    channels: u32,
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
    a: f32,          // parameters of f
    b: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var dy: texture_storage_2d<rgba32float, read>;

// v in the channels that exist.
fn within(v: vec4f, quad: u32, channels: u32) -> vec4f {
    return select(vec4f(), v, vec4u(4u * quad) + vec4u(0u, 1u, 2u, 3u) < vec4u(channels));
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    let channels = params.channels;
    let a = params.a;
    let b = params.b;
    if id.x < params.plane {
        let i = (id.z * params.quads + id.y) * params.plane + id.x;
        let v = load(i);
        store(i, within(vec4f(f(v.x, a, b), f(v.y, a, b), f(v.z, a, b), f(v.w, a, b)), id.y, channels));
    }
}

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    let channels = params.channels;
    let a = params.a;
    let b = params.b;
    if id.x < params.plane {
        let i = (id.z * params.quads + id.y) * params.plane + id.x;
        let v = load(i);
        let slope = vec4f(df(v.x, a, b), df(v.y, a, b), df(v.z, a, b), df(v.w, a, b));
        store(i, epilogue(within(textureLoad(dy, texel(i)) * slope, id.y, channels), i));
    }
}
