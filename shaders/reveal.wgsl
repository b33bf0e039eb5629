// reveal: y[2n] = b[n] + u[n] (x[n] - b[n]) and y[2n+1] = b[n] + (1 - u[n]) (x[n] - b[n]), u the mask m resized to the image, bilinearly:
// an image on a background where the mask is 1, and where it is 0. dm = U^T sum over c of (x - b) (dy[2n] - dy[2n+1]), U the resizing.
// x, b: [N,C,H,W], y: [2N,C,H,W], m: [N,1,h,w] with h <= H, w <= W. Pixel centres are half-way between edges in both, and beyond the outer
// centres of the mask its edge goes on. Memory-bound.
#import lib/index

struct Params {
    channels: u32,
    h: u32,
    w: u32,
    mask_h: u32,
    mask_w: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> dmask: array<f32>;

// Where a row or column of the image lies in the mask: the cell before it, the cell after it, and the share of the latter.
struct Place {
    before: u32,
    after: u32,
    share: f32,
}

// In whole numbers, so that no rounding picks another cell.
fn place(at: u32, len: u32, cells: u32) -> Place {
    let twice = i32((2u * at + 1u) * cells) - i32(len);
    let numerator = u32(clamp(twice, 0, i32((cells - 1u) * 2u * len)));
    let before = numerator / (2u * len);
    return Place(before, min(before + 1u, cells - 1u), f32(numerator % (2u * len)) / f32(2u * len));
}

// The weight of a cell at a place.
fn weight(at: Place, cell: u32) -> f32 {
    return select(0.0, 1.0 - at.share, at.before == cell) + select(0.0, at.share, at.after == cell);
}

// The rows or columns of the image that may depend on a cell.
fn reach(cell: u32, len: u32, cells: u32) -> vec2u {
    let first = (max(2u * cell, 1u) - 1u) * len / (2u * cells);
    let end = (2u * cell + 3u) * len / (2u * cells) + 1u;
    return vec2u(first, min(end, len));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.w {
        return;
    }
    let row = place(id.y, params.h, params.mask_h);
    let col = place(id.x, params.w, params.mask_w);
    let cells = id.z * params.mask_h * params.mask_w;
    let above = cells + row.before * params.mask_w;
    let below = cells + row.after * params.mask_w;
    let top = mix(mask[above + col.before], mask[above + col.after], col.share);
    let bottom = mix(mask[below + col.before], mask[below + col.after], col.share);
    let u = mix(top, bottom, row.share);
    let plane = params.h * params.w;
    let pixel = id.y * params.w + id.x;
    let image = params.channels * plane;
    for (var c = 0u; c < params.channels; c++) {
        let i = id.z * image + c * plane + pixel;
        let to = 2u * id.z * image + c * plane + pixel;
        let difference = x[i] - b[i];
        y[to] = b[i] + u * difference;
        y[to + image] = b[i] + (1.0 - u) * difference;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.mask_w {
        return;
    }
    let rows = reach(id.y, params.h, params.mask_h);
    let cols = reach(id.x, params.w, params.mask_w);
    let plane = params.h * params.w;
    let image = params.channels * plane;
    var sum = 0.0;
    for (var i = rows.x; i < rows.y; i++) {
        let by_row = weight(place(i, params.h, params.mask_h), id.y);
        var of_row = 0.0;
        for (var j = cols.x; j < cols.y; j++) {
            let by_col = weight(place(j, params.w, params.mask_w), id.x);
            var of_pixel = 0.0;
            for (var c = 0u; c < params.channels; c++) {
                let at = c * plane + i * params.w + j;
                let to = 2u * id.z * image + at;
                of_pixel += (x[id.z * image + at] - b[id.z * image + at]) * (dy[to] - dy[to + image]);
            }
            of_row += by_col * of_pixel;
        }
        sum += by_row * of_row;
    }
    dmask[(id.z * params.mask_h + id.y) * params.mask_w + id.x] = sum;
}
