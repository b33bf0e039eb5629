// texels: pack: packed [N,ceil(C/4),H,W] of vec4f in a texture, from x [N,C,H,W]. unpack: the way back, y = relu(epilogue(texels)).
// x and y are all channels of what is stored, or some.
// x, y, z of the grid are the position in the plane, the quad of channels and the image. Memory-bound.
#import lib/nan
#import lib/epilogue
#import lib/texel

struct Params {
    channels: u32,
    channel_offset: u32,  // channel at which x or y begins
    channel_stride: u32,  // channels of an image that are stored where x or y is
    quads: u32,           // ceil(C/4)
    plane: u32,           // H*W
    relu: u32,            // unpack: 1: y = max(y, 0), last
    epilogue: u32,            // unpack
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var packed: texture_storage_2d<rgba32float, write>;
@group(0) @binding(3) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn pack(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let first = id.z * params.channel_stride + params.channel_offset + 4u * id.y;
    var v = vec4f();
    for (var k = 0u; k < 4u; k++) {
        if 4u * id.y + k < params.channels {
            v[k] = x[(first + k) * params.plane + id.x];
        }
    }
    textureStore(packed, texel((id.z * params.quads + id.y) * params.plane + id.x), v);
}

@compute @workgroup_size(8)
fn unpack(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let v = textureLoad(texels, texel((id.z * params.quads + id.y) * params.plane + id.x));
    let first = id.z * params.channel_stride + params.channel_offset + 4u * id.y;
    for (var k = 0u; k < 4u; k++) {
        if 4u * id.y + k < params.channels {
            let at = (first + k) * params.plane + id.x;
            var out = epilogue(v[k], at);
            if params.relu != 0u {
                out = rectified(out);
            }
            y[at] = out;
        }
    }
}
