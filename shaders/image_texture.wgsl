// image_texture: texture[row, col] = clamp(x[image,:,row,col], 0, 1), opaque, for a host that shows the image. x: [N,3,H,W].
struct Params {
    image: u32,
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
    let at = 3u * params.image * plane + id.y * params.w + id.x;
    let colour = clamp(vec3f(x[at], x[at + plane], x[at + 2u * plane]), vec3f(), vec3f(1.0));
    textureStore(texture, id.xy, vec4f(colour, 1.0));
}
