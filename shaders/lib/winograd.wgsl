// winograd: the transforms of a tile along one axis, for 2x2 outputs (points 0, 1, -1) and 4x4 (0, ±1, ±2). Whoever imports this
// says what an Element is: a number, or several beside each other.

// Bᵀ times a column.
fn before2(d: array<Element, 4>) -> array<Element, 4> {
    return array<Element, 4>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

fn before4(d: array<Element, 6>) -> array<Element, 6> {
    let even = d[4] - 4.0 * d[2];
    let odd = d[3] - 4.0 * d[1];
    let outer = d[4] - d[2];
    let inner = 2.0 * (d[3] - d[1]);
    return array<Element, 6>(
        4.0 * d[0] - 5.0 * d[2] + d[4], even + odd, even - odd, outer + inner, outer - inner, 4.0 * d[1] - 5.0 * d[3] + d[5],
    );
}

// Aᵀ times a column.
fn after2(m: array<Element, 4>) -> array<Element, 2> {
    return array<Element, 2>(m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
}

fn after4(m: array<Element, 6>) -> array<Element, 4> {
    let sum1 = m[1] + m[2];
    let sum2 = m[3] + m[4];
    let part1 = m[1] - m[2];
    let part2 = m[3] - m[4];
    return array<Element, 4>(m[0] + sum1 + sum2, part1 + 2.0 * part2, sum1 + 4.0 * sum2, part1 + 8.0 * part2 + m[5]);
}
