// axes: where the elements of one tensor lie in others. A row of `params.axes` is an axis: its extent, then its strides in three tensors; a
// stride of 0 repeats the tensor along the axis. `src/ops/axes.rs` makes the rows.
override AXES: u32 = 6; // the rows in use; where a kernel sums over some axes, these are the last

// Where element i of the axes from `first` up to `end` lies in the three tensors; the last axis is the fastest.
fn places(i: u32, first: u32, end: u32) -> vec3u {
    var rest = i;
    var at = vec3u();
    for (var axis = end; axis > first; axis--) {
        let row = params.axes[axis - 1u];
        let quotient = rest / row.x;
        at += (rest - quotient * row.x) * row.yzw;
        rest = quotient;
    }
    return at;
}
