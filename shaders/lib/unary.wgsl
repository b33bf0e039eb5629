// unary: y = f(x) for every element, dx = dy * f'(x), for the function FUNCTION with the parameters a and b. The numbers of the functions are
// those of `UnaryFunction` in src/ops/unary.rs. A NaN stays one in both, and no finite x makes one where f has a value.
#import lib/nan
#import lib/special

override FUNCTION: u32 = 0;

const RELU6: u32 = 0;
const CLAMP: u32 = 1;
const LEAKY_RELU: u32 = 2;
const ELU: u32 = 3;
const CELU: u32 = 4;
const SELU: u32 = 5;
const SIGMOID: u32 = 6;
const HARDSIGMOID: u32 = 7;
const HARDSWISH: u32 = 8;
const GELU: u32 = 9;
const GELU_TANH: u32 = 10;
const TANH: u32 = 11;
const SOFTPLUS: u32 = 12;
const MISH: u32 = 13;
const EXP: u32 = 14;
const LOG: u32 = 15;
const SQRT: u32 = 16;
const ABS: u32 = 17;
const NEG: u32 = 18;
const RECIPROCAL: u32 = 19;
const ERF: u32 = 20;
const POW: u32 = 21;

// Klambauer et al., "Self-normalizing neural networks", 2017.
const SELU_SCALE: f32 = 1.0507009873554805;
const SELU_ALPHA: f32 = 1.6732632423543772;
const SQRT_HALF: f32 = 0.7071067811865476;
const SQRT_TWO_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;

// log(1 + exp(v)).
fn softplus(v: f32) -> f32 {
    return max(v, 0.0) + log1p(exp(-abs(v)));
}

// The tanh of gelu_tanh. Beyond 10 it is 1, so that no cube overflows.
fn gelu_tanh(v: f32) -> f32 {
    let c = clamp(v, -10.0, 10.0);
    return tanh_of(SQRT_TWO_OVER_PI * (c + GELU_CUBIC * c * c * c));
}

// tanh(softplus v), and its derivative 1 - tanh^2 times the sigmoid; in e = exp(-|v|), so that nothing overflows or cancels.
fn mish_gate(v: f32) -> vec2f {
    let e = exp(-abs(v));
    if v >= 0.0 {
        let d = 1.0 + 2.0 * e + 2.0 * e * e;
        let r = 2.0 * e * (1.0 + e) / d;
        return vec2f((1.0 + 2.0 * e) / d, r * r / (1.0 + e));
    }
    let d = 2.0 + 2.0 * e + e * e;
    let r = 2.0 * (1.0 + e) / d;
    return vec2f(e * (2.0 + e) / d, r * r * e / (1.0 + e));
}

fn f(v: f32, a: f32, b: f32) -> f32 {
    if is_nan(v) {
        return v;
    }
    switch FUNCTION {
        case RELU6: { return min(max(v, 0.0), 6.0); }
        case CLAMP: { return min(max(v, a), b); }
        case LEAKY_RELU: { return select(a * v, v, v > 0.0); }
        case ELU: { return select(a * expm1(min(v, 0.0)), v, v > 0.0); }
        case CELU: { return select(a * expm1(min(v, 0.0) / a), v, v > 0.0); }
        case SELU: { return SELU_SCALE * select(SELU_ALPHA * expm1(min(v, 0.0)), v, v > 0.0); }
        case SIGMOID: { return sigmoid(v); }
        case HARDSIGMOID: { return min(max(a * v + b, 0.0), 1.0); }
        case HARDSWISH: { return v * min(max(v / 6.0 + 0.5, 0.0), 1.0); }
        case GELU: { return v * (0.5 + 0.5 * erf(v * SQRT_HALF)); }
        case GELU_TANH: { return v * (0.5 + 0.5 * gelu_tanh(v)); }
        case TANH: { return tanh_of(v); }
        case SOFTPLUS: { return softplus(a * v) / a; }
        case MISH: { return v * mish_gate(v).x; }
        case EXP: { return exp(v); }
        case LOG: { return select(log(v), not_a_number(v), v < 0.0); }
        case SQRT: { return select(sqrt(v), not_a_number(v), v < 0.0); }
        case ABS: { return abs(v); }
        case NEG: { return -v; }
        case RECIPROCAL: { return 1.0 / v; }
        case ERF: { return erf(v); }
        case POW: { return power(v, a); }
        default: { return v; }
    }
}

fn df(v: f32, a: f32, b: f32) -> f32 {
    if is_nan(v) {
        return v;
    }
    switch FUNCTION {
        case RELU6: { return select(0.0, 1.0, v > 0.0 && v < 6.0); }
        case CLAMP: { return select(0.0, 1.0, v > a && v < b); }
        case LEAKY_RELU: { return select(a, 1.0, v > 0.0); }
        case ELU: { return select(a * exp(min(v, 0.0)), 1.0, v > 0.0); }
        case CELU: { return select(exp(min(v, 0.0) / a), 1.0, v > 0.0); }
        case SELU: { return SELU_SCALE * select(SELU_ALPHA * exp(min(v, 0.0)), 1.0, v > 0.0); }
        case SIGMOID: { return sigmoid(v) * sigmoid(-v); }
        case HARDSIGMOID: { return select(0.0, a, a * v + b > 0.0 && a * v + b < 1.0); }
        case HARDSWISH: { return select(select(v / 3.0 + 0.5, 0.0, v <= -3.0), 1.0, v >= 3.0); }
        case GELU: {
            let c = clamp(v, -20.0, 20.0);
            return 0.5 + 0.5 * erf(v * SQRT_HALF) + c * (0.5 * SQRT_HALF * TWO_OVER_SQRT_PI) * exp(-0.5 * c * c);
        }
        case GELU_TANH: {
            let c = clamp(v, -10.0, 10.0);
            let t = gelu_tanh(v);
            return 0.5 + 0.5 * t + 0.5 * c * (1.0 - t * t) * SQRT_TWO_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * c * c);
        }
        case TANH: {
            let t = tanh_of(v);
            return 1.0 - t * t;
        }
        case SOFTPLUS: { return sigmoid(a * v); }
        case MISH: {
            let gate = mish_gate(v);
            return gate.x + v * gate.y;
        }
        case EXP: { return exp(v); }
        case LOG: { return 1.0 / v; }
        case SQRT: { return 0.5 / select(sqrt(v), not_a_number(v), v < 0.0); }
        case ABS: { return sign(v); }
        case NEG: { return -1.0; }
        case RECIPROCAL: { return -(1.0 / v) * (1.0 / v); }
        case ERF: {
            let c = clamp(v, -20.0, 20.0);
            return TWO_OVER_SQRT_PI * exp(-c * c);
        }
        case POW: { return select(a * power(v, a - 1.0), 0.0, a == 0.0); }
        default: { return 1.0; }
    }
}
