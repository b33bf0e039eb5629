// local_response_norm_texels: as local_response_norm, four channels at a time, for windows of at most four channels before and
// four after. x, y, z of the grid are the place in the plane, the quad of channels and the image. Memory-bound.
#import lib/texels

struct Params {
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
    alpha: f32,      // divided by the window's size
    beta: f32,
    k: f32,
}

// Channels of the window before and after its own.
override BEFORE: u32 = 2;
override AFTER: u32 = 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var scale: texture_storage_2d<rgba32float, write>;
@group(0) @binding(4) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var scaled: texture_storage_2d<rgba32float, read>;

// For each channel of b the sum over so many channels before and after it, of which a and c are the quads around b.
fn window_sum(a: vec4f, b: vec4f, c: vec4f, before: u32, after: u32) -> vec4f {
    var sum = b;
    if before > 0u {
        sum += vec4f(a.w, b.xyz);
    }
    if before > 1u {
        sum += vec4f(a.zw, b.xy);
    }
    if before > 2u {
        sum += vec4f(a.yzw, b.x);
    }
    if before > 3u {
        sum += a;
    }
    if after > 0u {
        sum += vec4f(b.yzw, c.x);
    }
    if after > 1u {
        sum += vec4f(b.zw, c.xy);
    }
    if after > 2u {
        sum += vec4f(b.w, c.xyz);
    }
    if after > 3u {
        sum += c;
    }
    return sum;
}

fn place(id: vec3u, quad: u32) -> u32 {
    return (id.z * params.quads + quad) * params.plane + id.x;
}

fn square(id: vec3u, quad: u32) -> vec4f {
    let v = load(place(id, min(quad, params.quads - 1u)));
    return select(vec4f(), v * v, quad < params.quads);
}

// dy*x*scale^(-beta-1) of a quad; zeros around the tensor.
fn share(id: vec3u, quad: u32) -> vec4f {
    let at = place(id, min(quad, params.quads - 1u));
    let v = textureLoad(dy, texel(at)) * load(at) * pow(textureLoad(scaled, texel(at)), vec4f(-params.beta - 1.0));
    return select(vec4f(), v, quad < params.quads);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let at = place(id, id.y);
    let v = load(at);
    let sum = window_sum(square(id, id.y - 1u), v * v, square(id, id.y + 1u), BEFORE, AFTER);
    let s = params.k + params.alpha * sum;
    textureStore(scale, texel(at), s);
    store(at, v * pow(s, vec4f(-params.beta)));
}

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let at = place(id, id.y);
    // A channel is in the windows of those before it by the part after their own, and the other way round.
    let sum = window_sum(share(id, id.y - 1u), share(id, id.y), share(id, id.y + 1u), AFTER, BEFORE);
    let s = textureLoad(scaled, texel(at));
    let v = textureLoad(dy, texel(at)) * pow(s, vec4f(-params.beta));
    store(at, sink(v - 2.0 * params.alpha * params.beta * load(at) * sum, at));
}
