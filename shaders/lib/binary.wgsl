// binary: f(x, z) of two numbers, and its derivative by the operand OPERAND, for the function FUNCTION. The numbers of the functions are those
// of `BinaryFunction` in src/ops/binary.rs. A NaN stays one.
#import lib/nan
#import lib/special

override FUNCTION: u32 = 0;
override OPERAND: u32 = 0; // 0: by x, 1: by z

const ADD: u32 = 0;
const SUB: u32 = 1;
const MUL: u32 = 2;
const DIV: u32 = 3;
const MIN: u32 = 4;
const MAX: u32 = 5;
const POW: u32 = 6;

fn f(x: f32, z: f32) -> f32 {
    switch FUNCTION {
        case ADD: { return x + z; }
        case SUB: { return x - z; }
        case MUL: { return x * z; }
        case DIV: { return x / z; }
        case MIN: { return select(min(x, z), x + z, is_nan(x) || is_nan(z)); }
        case MAX: { return select(max(x, z), x + z, is_nan(x) || is_nan(z)); }
        case POW: { return power(x, z); }
        default: { return x; }
    }
}

// Of equal operands of min and max, each gets half.
fn df(x: f32, z: f32) -> f32 {
    let by_z = OPERAND == 1u;
    switch FUNCTION {
        case ADD: { return 1.0; }
        case SUB: { return select(1.0, -1.0, by_z); }
        case MUL: { return select(z, x, by_z); }
        case DIV: { return select(1.0, -x / z, by_z) / z; }
        case MIN: { return select(select(0.0, 1.0, (x < z) != by_z), 0.5, x == z); }
        case MAX: { return select(select(0.0, 1.0, (x > z) != by_z), 0.5, x == z); }
        case POW: {
            if by_z {
                return select(power(x, z) * select(log(x), not_a_number(x), x < 0.0), 0.0, x == 0.0 && z >= 0.0);
            }
            return select(z * power(x, z - 1.0), 0.0, z == 0.0);
        }
        default: { return 1.0; }
    }
}
