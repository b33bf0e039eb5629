// max_pool2d_texels: as max_pool2d, four channels at a time; argmax holds which place of the window, a byte for each of the four.
// Of the grid x is the position in the plane, y the quad of channels and z the image. Memory-bound.
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
    argmax[to] = at.x | (at.y << 8u) | (at.z << 16u) | (at.w << 24u);
}

// Two rows and two columns of places an invocation, which share most of the windows that they are in: x of the grid counts such
// blocks. As many windows as can contain one of their places; those past the last count as nothing.
@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    let blocks_w = (params.w + 1u) / 2u;
    if id.x >= blocks_w * ((params.h + 1u) / 2u) {
        return;
    }
    let block_row = id.x / blocks_w;
    let x_row = 2u * block_row;
    let x_col = 2u * (id.x - block_row * blocks_w);
    let row = x_row + params.pad_top;
    let col = x_col + params.pad_left;
    // The windows that contain q: p*stride <= q + pad < p*stride + kernel.
    let p_row0 = (max(row + 1u, KERNEL_H) - KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
    let p_col0 = (max(col + 1u, KERNEL_W) - KERNEL_W + STRIDE_W - 1u) / STRIDE_W;
    let first = (id.z * params.quads + id.y) * params.oh * params.ow;
    var sum: array<vec4f, 4>;
    for (var i = 0u; i < KERNEL_H / STRIDE_H + 1u; i++) {
        for (var j = 0u; j < KERNEL_W / STRIDE_W + 1u; j++) {
            let p_row = p_row0 + i;
            let p_col = p_col0 + j;
            let live = p_row < params.oh && p_col < params.ow;
            let p = first + select(0u, p_row * params.ow + p_col, live);
            let v = load(p);
            let places = (vec4u(chosen[p]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
            for (var k = 0u; k < 4u; k++) {
                // Where the window has this place, if it has; below its corner the difference is a large number.
                let down = row + k / 2u - p_row * STRIDE_H;
                let right = col + k % 2u - p_col * STRIDE_W;
                let has = live && down < KERNEL_H && right < KERNEL_W;
                let wins = (places == vec4u(down * KERNEL_W + right)) & vec4<bool>(has);
                sum[k] += select(vec4f(), v, wins);
            }
        }
    }
    for (var k = 0u; k < 4u; k++) {
        let at = vec2u(x_row + k / 2u, x_col + k % 2u);
        if at.x < params.h && at.y < params.w {
            let to = ((id.z * params.quads + id.y) * params.h + at.x) * params.w + at.y;
            store(to, epilogue(sum[k], to));
        }
    }
}
