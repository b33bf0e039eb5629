// image_texture: texture[row, col] = clamp(x[image,:,row,col], 0, 1), for a host that shows the image. x: [N,C,H,W]; C is 1 (grey, opaque),
// 3 (RGB, opaque) or 4 (RGBA).
struct Params {
    image: u32,
    channels: u32,
    h: u32,
    w: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var texture: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(8, 8)
fn paint(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.w || id.y >= params.h {
        return;
    }
    let plane = params.h * params.w;
    let at = params.channels * params.image * plane + id.y * params.w + id.x;
    var colour = vec4f(vec3f(x[at]), 1.0);
    if params.channels >= 3u {
        colour = vec4f(x[at], x[at + plane], x[at + 2u * plane], 1.0);
    }
    if params.channels == 4u {
        colour.w = x[at + 3u * plane];
    }
    textureStore(texture, id.xy, clamp(colour, vec4f(), vec4f(1.0)));
}
