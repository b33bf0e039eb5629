// finish_texels: y = epilogue(x), texel by texel: the sum and the mask of lib/texels without an op before them. x, y, z of the grid
// are the position in the plane, the quad of channels and the image. Memory-bound.
#import lib/texels

struct Params {
    quads: u32,      // ceil(C/4)
    plane: u32,      // H*W
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < params.plane {
        let i = (id.z * params.quads + id.y) * params.plane + id.x;
        store(i, epilogue(load(i), i));
    }
}
