//! irfft2: even sides of all kinds of factors, and the adjoint.

use protogpu::Shape;
use protogpu::ops::Irfft2;

use crate::tests::harness::{Outcome, Rig, Table, adjoint, batch_independent, by, close, gradient, images, refused};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, irfft2};

/// N, C, H and W of the image.
type Case = [usize; 4];

fn spectrum([n, c, h, w]: Case) -> [usize; 4] {
    [n, c, h, w + 2]
}

/// Differs from number to number and falls with the frequency, as an optimiser's does; exact in no way.
fn scale_of(row: usize, column: usize) -> f64 {
    1.5 / (1.0 + (row % 7) as f64 + 2.0 * (column % 5) as f64)
}

fn op([_, _, h, w]: Case) -> Outcome<Irfft2> {
    Ok(Irfft2::new(h, w, scale_of)?)
}

/// As the twin takes it. The op rounds it together with 1/√(HW): an error of half an ε more.
fn scale([_, _, h, w]: Case) -> Vec<f64> {
    (0..h).flat_map(|row| (0..w / 2 + 1).map(move |column| scale_of(row, column))).collect()
}

fn forward(case: Case, s: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (s, x) = (rig.input("s", s), rig.output("x", [s.shape[0], case[1], case[2], case[3]]));
    op(case)?.forward(&mut rig.rec, s, x)?;
    rig.run()?.read(x)
}

fn backward(case: Case, dx: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dx, ds) = (rig.input("dx", dx), rig.output("ds", spectrum([dx.shape[0], case[1], case[2], case[3]])));
    op(case)?.backward(&mut rig.rec, dx, ds)?;
    rig.run()?.read(ds)
}

/// In units of an output and of the root mean square of all of them: partial sums are about as large as either. A few roundings a pass, which
/// walk; a large prime factor sums so many terms in one pass, whose errors add up as √terms.
fn bound(case: Case) -> f64 {
    let largest = |mut n: usize| {
        let mut factor = 2;
        while n > factor {
            if n.is_multiple_of(factor) { n /= factor } else { factor += 1 }
        }
        n.max(8)
    };
    8.0 + 2.0 * ((largest(case[2]) + largest(case[3])) as f64).sqrt()
}

fn size_of(x: &Tensor) -> Tensor {
    let rms = (x.dot(x) / x.data.len() as f64).sqrt();
    x.map(|x| x.abs() + rms)
}

/// Every small side both ways; lucent's 128, the networks' 224, factors of 5, 3 and 7, primes times two, the longest.
fn cases() -> Vec<Case> {
    let small = (2..=34).step_by(2).flat_map(|n| [[1, 2, n, 6], [2, 1, 10, n]]);
    let long = [64, 66, 98, 122, 128, 224, 250, 254, 360, 394, 500, 768, 998, 1000, 1002, 1022, 1024];
    small.chain(long.into_iter().flat_map(|n| [[1, 1, n, 2], [1, 1, 4, n]])).chain([[3, 3, 12, 14]]).collect()
}

#[test]
fn irfft2() {
    let mut table = Table::new("irfft2");
    for case in cases() {
        let mut random = Random(1);
        let [s, dx] = [spectrum(case), case].map(|shape| random.tensor(shape, -1.0, 1.0));
        let (scale, name) = (scale(case), by(&case));
        let (want, want_ds) = (irfft2::forward(&s, &scale), irfft2::backward(&dx, &scale));
        table.case(format!("forward {name}"), || close("x", &forward(case, &s)?, &want, &size_of(&want), bound(case)));
        table.case(format!("backward {name}"), || {
            close("ds", &backward(case, &dx)?, &want_ds, &size_of(&want_ds), bound(case))
        });
        table.case(format!("adjoint {name}"), || {
            let (x, ds) = (forward(case, &s)?, backward(case, &dx)?);
            adjoint([&dx, &x], [&ds, &s], (dx.dot(&dx) * want.dot(&want)).sqrt(), bound(case))
        });
        if case[0] == 3 {
            table.case(format!("differences {name}"), || {
                let f = |s: &Tensor| dx.dot(&irfft2::forward(s, &scale));
                gradient(&backward(case, &dx)?, &s, &size_of(&want_ds), bound(case), f)
            });
            table.case(format!("batch {name}"), || {
                batch_independent(|n| Ok(vec![forward(case, &images(&s, n))?, backward(case, &images(&dx, n))?]))
            });
        }
    }
    table.finish();
}

#[test]
fn known_spectra() {
    let mut table = Table::new("irfft2");
    let (h, w) = (6, 8);
    let flat = |at: usize, value: f64| {
        let mut s = Tensor::zeros([1, 1, h, w + 2]);
        s.data[at] = value;
        s
    };
    let run = |s: &Tensor| -> Outcome<Tensor> {
        let mut rig = Rig::default();
        let (s, x) = (rig.input("s", s), rig.output("x", [1, 1, h, w]));
        Irfft2::new(h, w, |_, _| 1.0)?.forward(&mut rig.rec, s, x)?;
        rig.run()?.read(x)
    };
    let ones = Tensor::filled([1, 1, h, w], 1.0);
    let root = ((h * w) as f64).sqrt();
    table.case("a constant", || close("x", &run(&flat(0, 3.0))?, &ones.map(|_| 3.0 / root), &ones, 2.0));
    table.case("the imaginary part of a constant", || close("x", &run(&flat(1, 3.0))?, &ones.map(|_| 0.0), &ones, 0.0));
    table.case("a wave along w", || {
        let cosine = |b: usize| 2.0 * 3.0 / root * (std::f64::consts::TAU * b as f64 / w as f64).cos();
        let want = Tensor::new([1, 1, h, w], (0..h * w).map(|i| cosine(i % w)).collect());
        close("x", &run(&flat(2, 3.0))?, &want, &ones, 4.0)
    });
    table.case("a wave along h, counted from the end", || {
        let sine = |a: usize| 3.0 / root * (std::f64::consts::TAU * a as f64 / h as f64).cos();
        let want = Tensor::new([1, 1, h, w], (0..h * w).map(|i| sine(i / w)).collect());
        close("x", &run(&flat((h - 1) * (w + 2), 3.0))?, &want, &ones, 4.0)
    });
    table.finish();
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut table = Table::new("irfft2");
    for (h, w) in [(5, 8), (8, 5), (0, 8), (8, 1026)] {
        table.case(format!("{h}x{w}"), || refused("sides", Irfft2::new(h, w, |_, _| 1.0), "even and at most 1024"));
    }
    table.case("shapes", || {
        let mut rig = Rig::default();
        let [s, x] = ["s", "x"].map(|label| rig.output(label, [1, 3, 8, 8]));
        let wrong = Irfft2::new(8, 8, |_, _| 1.0)?.forward(&mut rig.rec, s, x);
        refused("shapes", wrong, "s is [1,3,8,8] and x [1,3,8,8], for images of 8x8")?;
        assert_eq!(Irfft2::spectrum(Shape::new(1, 3, 8, 8)), Shape::new(1, 3, 8, 10));
        Ok(())
    });
    table.finish();
}
