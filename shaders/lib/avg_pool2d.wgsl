// avg_pool2d: along one axis, the part of a window that is inside of x, and the windows that contain a place. Of the fixed window of avg_pool2d,
// or of the windows of adaptive_avg_pool2d, which divide x as evenly as whole places allow.
override KERNEL_H: u32 = 2;
override KERNEL_W: u32 = 2;
override STRIDE_H: u32 = 2;
override STRIDE_W: u32 = 2;
override ADAPTIVE: u32 = 0;     // 1: window o is from floor(o len/out) to ceil((o+1) len/out)
override INCLUDE_PAD: u32 = 1;  // 1: padding counts as places of value 0

// One axis.
struct Axis {
    len: u32,        // of x
    out: u32,        // of y
    before: u32,     // padding
    after: u32,
    kernel: u32,
    stride: u32,
}

// From start to end, and by how much the window divides along this axis.
struct Window {
    start: u32,
    end: u32,
    size: u32,
}

fn window(o: u32, axis: Axis) -> Window {
    if ADAPTIVE != 0u {
        let start = o * axis.len / axis.out;
        let end = ((o + 1u) * axis.len + axis.out - 1u) / axis.out;
        return Window(start, end, end - start);
    }
    // In the coordinates of the padded x. A window of ceil_mode ends with the padding, if not before.
    let first = o * axis.stride;
    let last = min(first + axis.kernel, axis.before + axis.len + axis.after);
    let start = max(first, axis.before) - axis.before;
    let end = min(last - axis.before, axis.len);
    return Window(start, end, select(end - start, last - first, INCLUDE_PAD != 0u));
}

// The windows that contain q: the first, and the one after the last.
fn windows_with(q: u32, axis: Axis) -> vec2u {
    if ADAPTIVE != 0u {
        return vec2u(q * axis.out / axis.len, ((q + 1u) * axis.out + axis.len - 1u) / axis.len);
    }
    let at = q + axis.before;
    let first = (max(at + 1u, axis.kernel) - axis.kernel + axis.stride - 1u) / axis.stride;
    return vec2u(first, min(at / axis.stride + 1u, axis.out));
}
