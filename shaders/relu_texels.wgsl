// relu_texels: dx = dy * [x > 0], and then the epilogue of lib/texels. x, dy and y = dx: [N,ceil(C/4),H,W] of vec4f. Forward is
// finish_texels with RELU. x, y, z of the grid are the position in the plane, the quad of channels and the image. Memory-bound.
#import lib/texels

struct Params {
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var dy: texture_storage_2d<rgba32float, read>;

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < params.plane {
        let i = (id.z * params.quads + id.y) * params.plane + id.x;
        store(i, epilogue(select(vec4f(), textureLoad(dy, texel(i)), load(i) > vec4f()), i));
    }
}
