// irfft2: x = Re DFT⁻¹ over H and W of scale·s, one factor of one axis a dispatch (Stockham's order), and the exact adjoint.
// A line of n numbers, n = RADIX·m, after factors whose product is `done`: for j < m and p = j mod done,
//   v[r] = x[j + r m]·w^(r p n / (done RADIX)),  y[(j - p) RADIX + p + q done] = sum over r of v[r]·w^(q r m),  w = exp(±2πi / n).
// s: [N,C,H,W/2+1] complex, x: [N,C,H,W] real. Complex numbers are pairs (re, im). n times the sum of its factors multiply-adds a line.
#import lib/index

// Factors up to 8 have an entry point with their inputs in registers; larger ones, which few sizes have, load them for each output.
override RADIX: u32 = 2;
// Which way lines run. 1: along W, else along H.
override ALONG_W: u32 = 0;
// What the first pass of an axis reads. 0: complex; 1: complex times scale; 2: the first half of a line that continues as its mirror
// image, conjugated; 3: real.
override LOAD: u32 = 0;
// What the last one writes. 0: complex; 1: complex times scale; 2: the adjoint of reading half of a line; 3: real.
override STORE: u32 = 0;

const SCALED: u32 = 1;
const HALF: u32 = 2;
const REAL: u32 = 3;
const REGISTERS: u32 = 8;

struct Params {
    n: u32,          // numbers of a line
    radix: u32,      // RADIX, for factors that no pipeline is specialised for
    done: u32,
    lines: u32,      // of a plane
    conjugate: u32,  // 1: the sign of the exponent is minus
    x_plane: u32,    // from a plane, a line and a number to the next, in what is read and written
    x_line: u32,
    x_step: u32,
    y_plane: u32,
    y_line: u32,
    y_step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> roots: array<vec2f>;   // [n]: exp(2πi k / n)
@group(0) @binding(4) var<storage, read> scale: array<f32>;     // [H,W/2+1]

fn times(a: vec2f, b: vec2f) -> vec2f {
    return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn root(k: u32) -> vec2f {
    let w = roots[k];
    return vec2f(w.x, select(w.y, -w.y, params.conjugate != 0u));
}

fn load(plane: u32, line: u32, i: u32) -> vec2f {
    let start = plane * params.x_plane + line * params.x_line;
    if LOAD == REAL {
        return vec2f(x[start + i * params.x_step], 0.0);
    }
    if LOAD == HALF {
        let mirrored = 2u * i > params.n;
        let at = 2u * (start + select(i, params.n - i, mirrored) * params.x_step);
        // Of a real line the first number and the middle one are real: what else stands there has no effect, as in PyTorch.
        let alone = i == 0u || 2u * i == params.n;
        return vec2f(x[at], select(select(x[at + 1u], -x[at + 1u], mirrored), 0.0, alone));
    }
    let at = 2u * (start + i * params.x_step);
    let v = vec2f(x[at], x[at + 1u]);
    if LOAD == SCALED {
        return v * scale[line * params.x_line + i * params.x_step];
    }
    return v;
}

fn store(plane: u32, line: u32, i: u32, v: vec2f) {
    let at = plane * params.y_plane + line * params.y_line + i * params.y_step;
    if STORE == REAL {
        y[at] = v.x;
        return;
    }
    var out = v;
    if STORE == HALF {
        if 2u * i > params.n {
            return;
        }
        let alone = i == 0u || 2u * i == params.n;
        out = select(2.0 * v, vec2f(v.x, 0.0), alone);
    }
    if STORE == SCALED {
        out *= scale[line * params.y_line + i * params.y_step];
    }
    y[2u * at] = out.x;
    y[2u * at + 1u] = out.y;
}

// Which line, and which of `count` along it.
struct Place {
    line: u32,
    j: u32,
    live: bool,
}

fn place_of(id: vec3u, count: u32) -> Place {
    if ALONG_W != 0u {
        return Place(id.y, id.x, id.x < count);
    }
    return Place(id.x, id.y, id.x < params.lines);
}

@compute @workgroup_size(WORKGROUP)
fn small(@builtin(global_invocation_id) id: vec3u) {
    let m = params.n / RADIX;
    let at = place_of(id, m);
    if !at.live {
        return;
    }
    let p = at.j % params.done;
    let turn = m / params.done * p;
    var v: array<vec2f, REGISTERS>;
    for (var r = 0u; r < RADIX; r++) {
        v[r] = times(load(id.z, at.line, at.j + r * m), root(r * turn));
    }
    let first = (at.j - p) * RADIX + p;
    for (var q = 0u; q < RADIX; q++) {
        var sum = v[0];
        for (var r = 1u; r < RADIX; r++) {
            sum += times(v[r], root(q * r % RADIX * m));
        }
        store(id.z, at.line, first + q * params.done, sum);
    }
}

// One output an invocation: a loop over outputs and inputs would be longer than software adapters allow.
@compute @workgroup_size(WORKGROUP)
fn large(@builtin(global_invocation_id) id: vec3u) {
    let m = params.n / params.radix;
    let at = place_of(id, params.n);
    if !at.live {
        return;
    }
    let j = at.j % m;
    let q = at.j / m;
    let p = j % params.done;
    let turn = m / params.done * p;
    var sum = vec2f();
    for (var r = 0u; r < params.radix; r++) {
        let k = (r * turn + q * r % params.radix * m) % params.n;
        sum += times(load(id.z, at.line, j + r * m), root(k));
    }
    store(id.z, at.line, (j - p) * params.radix + p + q * params.done, sum);
}
