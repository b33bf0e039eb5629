// special: functions that WGSL lacks, or computes with a larger error than f32 has. Each errs by a few units in the last place.
#import lib/nan

// A NaN that no compiler foresees: WGSL has no literal for it.
fn not_a_number(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) | 0x7fc00000u);
}

// 1 / (1 + exp(-v)), without an exp that overflows.
fn sigmoid(v: f32) -> f32 {
    let e = exp(-abs(v));
    return select(e, 1.0, v >= 0.0) / (1.0 + e);
}

// exp(v) - 1. Near 0 its series, because the difference would cancel.
fn expm1(v: f32) -> f32 {
    let series = 1.0 + v * (1.0 / 2.0 + v * (1.0 / 6.0 + v * (1.0 / 24.0 + v * (1.0 / 120.0 + v * (1.0 / 720.0 + v / 5040.0)))));
    return select(exp(v) - 1.0, v * series, abs(v) < 0.5);
}

// log(1 + v) for v from 0 to 1: 2 atanh(s) with s = v / (2 + v), and the series of atanh, of which s^15 is below rounding.
fn log1p(v: f32) -> f32 {
    let s = v / (2.0 + v);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0)))));
    return 2.0 * s * series;
}

// tanh v = -t / (2 + t) for v >= 0, with t = exp(-2 v) - 1. WGSL allows its own tanh an error of 1e-5.
fn tanh_of(v: f32) -> f32 {
    let t = expm1(-2.0 * abs(v));
    let y = -t / (2.0 + t);
    return select(y, -y, v < 0.0);
}

const TWO_OVER_SQRT_PI: f32 = 1.1283791670955126;

// erf v. Up to 1 its Maclaurin series (https://dlmf.nist.gov/7.6.E1), to v^21. From there 1 - exp(-v q(v)): q is the polynomial of degree 5
// that fits log(erfc v) / -v at 200 Chebyshev points of [1,4], by least squares of the error in erfc; that is 1e-8. Beyond 4, erf is 1 in f32.
fn erf(v: f32) -> f32 {
    let t = min(abs(v), 4.0);
    let s = t * t;
    let near = t * (1.1283792 + s * (-0.37612638 + s * (0.11283792 + s * (-0.026866171 + s * (0.005223978 + s * (-0.0008548327
        + s * (0.00012055333 + s * (-1.4925650e-5 + s * (1.6462114e-6 + s * (-1.6365846e-7 + s * 1.4807193e-8))))))))));
    let q = 1.1284903 + t * (0.63579547 + t * (0.10516541 + t * (-0.02283142 + t * (0.00319771 - t * 0.00021201506))));
    let y = select(near, 1.0 - exp(-t * q), t > 1.0);
    return select(y, -y, v < 0.0);
}

// v^c as PyTorch has it: of a negative v, whole exponents only, and else NaN. Whole exponents up to 31 by multiplication.
fn power(v: f32, c: f32) -> f32 {
    if is_nan(v) || is_nan(c) {
        return select(not_a_number(v), 1.0, c == 0.0);
    }
    let size = abs(c);
    let whole = floor(size) == size;
    if whole && size < 32.0 {
        let bits = u32(size);
        var y = 1.0;
        var square = v;
        for (var bit = 0u; bit < 5u; bit++) {
            y = select(y, y * square, ((bits >> bit) & 1u) != 0u);
            square *= square;
        }
        return select(y, 1.0 / y, c < 0.0);
    }
    // Adapters disagree about the powers of 0.
    let y = select(pow(abs(v), c), select(0.0, 1.0 / abs(v), c < 0.0), v == 0.0);
    let odd = 2.0 * floor(0.5 * size) != size;
    return select(y, select(not_a_number(v), select(y, -y, odd), whole), v < 0.0);
}
