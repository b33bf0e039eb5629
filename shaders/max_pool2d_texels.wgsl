// max_pool2d_texels: as max_pool2d, four channels at a time; argmax holds which place of the window, a byte for each of the four.
// x, y, z of the grid are the position in the plane, the quad of channels and the image. Memory-bound.
#import lib/nan
#import lib/texels

struct Params {
    quads: u32,      // ceil(C/4)
    h: u32,
    w: u32,
    oh: u32,
    ow: u32,
    pad_top: u32,
    pad_left: u32,
}

override KERNEL_H: u32 = 3;
override KERNEL_W: u32 = 3;
override STRIDE_H: u32 = 2;
override STRIDE_W: u32 = 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> argmax: array<u32>;
@group(0) @binding(4) var<storage, read> chosen: array<u32>;

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    let plane = params.oh * params.ow;
    if id.x >= plane {
        return;
    }
    let y_row = id.x / params.ow;
    let top = i32(y_row * STRIDE_H) - i32(params.pad_top);
    let left = i32((id.x - y_row * params.ow) * STRIDE_W) - i32(params.pad_left);
    // The part of the window that is inside of x: never empty, see `MaxPool2d::output`.
    let row0 = u32(max(top, 0));
    let col0 = u32(max(left, 0));
    let row1 = min(u32(top + i32(KERNEL_H)), params.h);
    let col1 = min(u32(left + i32(KERNEL_W)), params.w);
    let first = (id.z * params.quads + id.y) * params.h * params.w;
    var best = load(first + row0 * params.w + col0);
    // Places of the window, from its corner on, be that inside of x or not.
    let skipped = vec2u(vec2i(i32(row0) - top, i32(col0) - left));
    var at = vec4u(skipped.x * KERNEL_W + skipped.y);
    // Loops that a driver can unroll; places past the window's end repeat its last, which wins over nothing.
    for (var i = 0u; i < KERNEL_H; i++) {
        for (var j = 0u; j < KERNEL_W; j++) {
            let row = min(row0 + i, row1 - 1u);
            let col = min(col0 + j, col1 - 1u);
            let v = load(first + row * params.w + col);
            // NaN wins and stays, as in PyTorch.
            let wins = (v > best) | (are_nan(v) & !are_nan(best));
            best = select(best, v, wins);
            at = select(at, vec4u((skipped.x + i) * KERNEL_W + skipped.y + j), wins);
        }
    }
    let to = (id.z * params.quads + id.y) * plane + id.x;
    store(to, best);
    argmax[to] = at.x | at.y << 8u | at.z << 16u | at.w << 24u;
}

@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    let plane = params.h * params.w;
    if id.x >= plane {
        return;
    }
    let x_row = id.x / params.w;
    let row = x_row + params.pad_top;
    let col = id.x - x_row * params.w + params.pad_left;
    // The windows that contain q: p*stride <= q + pad < p*stride + kernel.
    let p_row0 = (max(row + 1u, KERNEL_H) - KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
    let p_col0 = (max(col + 1u, KERNEL_W) - KERNEL_W + STRIDE_W - 1u) / STRIDE_W;
    let p_row1 = min(row / STRIDE_H + 1u, params.oh);
    let p_col1 = min(col / STRIDE_W + 1u, params.ow);
    let first = (id.z * params.quads + id.y) * params.oh * params.ow;
    var sum = vec4f();
    // As many windows as can contain a place; those past the last count as nothing.
    for (var i = 0u; i < (KERNEL_H + STRIDE_H - 1u) / STRIDE_H; i++) {
        for (var j = 0u; j < (KERNEL_W + STRIDE_W - 1u) / STRIDE_W; j++) {
            let p_row = p_row0 + i;
            let p_col = p_col0 + j;
            let live = p_row < p_row1 && p_col < p_col1;
            let p = first + select(0u, p_row * params.ow + p_col, live);
            // Where the window has this place, if it has.
            let place = (row - p_row * STRIDE_H) * KERNEL_W + col - p_col * STRIDE_W;
            let wins = ((vec4u(chosen[p]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)) == vec4u(place);
            sum += select(vec4f(), load(p), wins & vec4<bool>(live));
        }
    }
    let to = (id.z * params.quads + id.y) * plane + id.x;
    store(to, sink(sum, to));
}
