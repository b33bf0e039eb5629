// affine_warp: y[n,c,q] = scale[c] * v + shift[c], v = x[n,c,:] sampled at p = A q + t, with fill[c] where there is no x; scale
// and shift are those of a normalize that follows, or 1 and 0. theta = (A00 A01 t0 A10 A11 t1)
// maps output pixel indices to fractional input pixel indices; each image has its own, and its own extents within x and y: beyond
// them x counts as fill, and y is 0.
//   bilinear: v = sum of taps inside x of weight * x + (1 - sum of their weights) * fill; nearest: half to even, as PyTorch.
// dx[n,c,i] = scale[c] * sum over q of weight(p(q), i) * dy[n,c,q]: the exact adjoint, gathered. The map is invertible, so the q whose
// taps touch i lie in a small box around A^-1 (i - t). x: [N,C,H,W], y: [N,C,OH,OW]. Memory-bound.
#import lib/index
#import lib/clock

struct Params {
    steps: u32,
    images: u32,
    channels: u32,
    x_h: u32,
    x_w: u32,
    y_h: u32,
    y_w: u32,
    nearest: u32,    // 0: bilinear
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> theta: array<f32>;   // [steps,N,10]: A and t, then height and width of the image in x and in y
@group(0) @binding(3) var<storage, read> channel: array<vec4f>;   // [C]: fill, scale, shift
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

struct Map {
    row_x: vec3f,
    row_y: vec3f,
    x_size: vec2f,   // width and height
    y_size: vec2f,
}

fn map_of(image: u32) -> Map {
    let at = 10u * (step_now() * params.images + image);
    return Map(
        vec3f(theta[at], theta[at + 1u], theta[at + 2u]),
        vec3f(theta[at + 3u], theta[at + 4u], theta[at + 5u]),
        extent(vec2f(theta[at + 7u], theta[at + 6u]), vec2u(params.x_w, params.x_h)),
        extent(vec2f(theta[at + 9u], theta[at + 8u]), vec2u(params.y_w, params.y_h)),
    );
}

// A buffer holds the extents: they do not reach beyond x or y. Clamped as integers, since NaN may pass a clamp of floats.
fn extent(size: vec2f, most: vec2u) -> vec2f {
    return vec2f(clamp(vec2i(size), vec2i(), vec2i(most)));
}

// Where an output pixel reads: column and row of x, as whole pixels and what is left over. One f32 for both would be 1e-5 of a
// pixel off at best, enough to take another pixel now and then where the nearest is asked for.
struct Place {
    whole: vec2f,
    part: vec2f,     // of [0,1)
}

fn place_of(map: Map, q: vec2f) -> Place {
    let x = split(map.row_x, q);
    let y = split(map.row_y, q);
    let part = vec2f(x.y, y.y);
    // Far outside is as good as just outside: keeps the conversion to integers in range.
    let far = map.x_size + 8.0;
    return Place(clamp(vec2f(x.x, y.x) + floor(part), -far, far), part - floor(part));
}

// axis.x * q.x + axis.y * q.y + axis.z. The products of q with the leading twelve bits are exact, for q below 4,096.
fn split(axis: vec3f, q: vec2f) -> vec2f {
    let lead = bitcast<vec2f>(bitcast<vec2u>(axis.xy) & vec2u(0xfffff000u));
    let exact = vec3f(lead * q, axis.z);
    let whole = floor(exact);
    let part = exact - whole;
    return vec2f(whole.x + whole.y + whole.z, part.x + part.y + part.z + dot(axis.xy - lead, q));
}

// Half to even, as PyTorch.
fn nearest_of(place: Place) -> vec2f {
    let odd = (vec2i(place.whole) & vec2i(1)) != vec2i();
    let up = (place.part > vec2f(0.5)) | ((place.part == vec2f(0.5)) & odd);
    return place.whole + select(vec2f(), vec2f(1.0), up);
}

fn inside(place: vec2i, size: vec2f) -> bool {
    return all(place >= vec2i()) && all(place < vec2i(size));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.y_w {
        return;
    }
    let x_plane = params.x_h * params.x_w;
    let y_plane = params.y_h * params.y_w;
    let image = id.z;
    let map = map_of(image);
    let q = id.y * params.y_w + id.x;
    if !inside(vec2i(id.xy), map.y_size) {
        for (var c = 0u; c < params.channels; c++) {
            y[(image * params.channels + c) * y_plane + q] = 0.0;
        }
        return;
    }
    let place = place_of(map, vec2f(id.xy));
    var corner = vec2i(place.whole);
    var part = place.part;
    if params.nearest != 0u {
        corner = vec2i(nearest_of(place));
        part = vec2f();
    }
    var weights = array<f32, 4>((1.0 - part.x) * (1.0 - part.y), part.x * (1.0 - part.y), (1.0 - part.x) * part.y, part.x * part.y);
    var at: array<u32, 4>;
    var covered = 0.0;
    for (var tap = 0u; tap < 4u; tap++) {
        let col = corner.x + i32(tap % 2u);
        let row = corner.y + i32(tap / 2u);
        let reads = inside(vec2i(col, row), map.x_size);
        at[tap] = select(0u, u32(row) * params.x_w + u32(col), reads);
        weights[tap] = select(0.0, weights[tap], reads);
        covered += weights[tap];
    }
    for (var c = 0u; c < params.channels; c++) {
        let plane = image * params.channels + c;
        let spec = channel[c];
        var sum = (1.0 - covered) * spec.x;
        for (var tap = 0u; tap < 4u; tap++) {
            sum += weights[tap] * x[plane * x_plane + at[tap]];
        }
        y[plane * y_plane + q] = sum * spec.y + spec.z;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.x_w {
        return;
    }
    let base = id.z * params.y_h * params.y_w;
    let to = (id.z * params.x_h + id.y) * params.x_w + id.x;
    let at = vec2f(id.xy);
    let image = id.z / params.channels;
    let map = map_of(image);
    if !inside(vec2i(id.xy), map.x_size) {
        dx[to] = 0.0;
        return;
    }
    let d = at - vec2f(map.row_x.z, map.row_y.z);
    let det = map.row_x.x * map.row_y.y - map.row_x.y * map.row_y.x;
    let centre = vec2f(map.row_y.y * d.x - map.row_x.y * d.y, map.row_x.x * d.y - map.row_y.x * d.x) / det;
    // Taps reach one pixel far; a little more for rounding, since a weight outside is zero anyway.
    let reach = vec2f(abs(map.row_y.y) + abs(map.row_x.y), abs(map.row_x.x) + abs(map.row_y.x)) / abs(det) + 0.01;
    let last = map.y_size - 1.0;
    let low = max(vec2i(clamp(ceil(centre - reach), vec2f(), last + 1.0)), vec2i());
    let high = min(vec2i(clamp(floor(centre + reach), vec2f(-1.0), last)), vec2i(last));
    var sum = 0.0;
    for (var q_row = low.y; q_row <= high.y; q_row++) {
        for (var q_col = low.x; q_col <= high.x; q_col++) {
            let place = place_of(map, vec2f(f32(q_col), f32(q_row)));
            let away = abs(place.whole - at + place.part);
            var weight = max(1.0 - away.x, 0.0) * max(1.0 - away.y, 0.0);
            if params.nearest != 0u {
                weight = select(0.0, 1.0, all(nearest_of(place) == at));
            }
            sum += weight * dy[base + u32(q_row) * params.y_w + u32(q_col)];
        }
    }
    dx[to] = sum * channel[id.z - image * params.channels].y;
}
