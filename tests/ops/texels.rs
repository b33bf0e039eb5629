//! texels: packing and unpacking, exactly, with the epilogue and the ReLU of unpacking.

use protogpu::ops::{self, Format};

use crate::tests::harness::{EPILOGUES, Outcome, Rig, Table, by, epilogue_name, exact, finished, formats};
use crate::tests::twin::Tensor;
use crate::tests::twin::random::Random;

#[test]
fn there_and_back() {
    let mut table = Table::new("texels");
    if !formats().contains(&Format::Texels) {
        return;
    }
    // Channels around fours; a plane of one, and one of more texels than a row of the texture has.
    for shape in [[2, 1, 3, 5], [1, 4, 1, 1], [3, 5, 7, 9], [2, 3, 65, 66]] {
        let mut random = Random(1);
        // Sums and differences of these are exact.
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -8.0, 8.0).map(f64::round));
        for ([adds, masks], relu) in EPILOGUES.into_iter().flat_map(|epilogue| [(epilogue, false), (epilogue, true)]) {
            let relu_name = if relu { " relu" } else { "" };
            let name = format!("{}{}{relu_name}", by(&shape), epilogue_name([adds, masks]));
            let parts = [adds.then_some(&add), masks.then_some(&mask)];
            let kept = finished(&x, parts[0], parts[1]);
            let want = if relu { kept.map(|v| v.max(0.0)) } else { kept.clone() };
            table.case(format!("unpack {name}"), || exact("y", &unpack(&x, parts, relu)?, &want));
            if !relu {
                table.case(format!("epilogue {name}"), || exact("y", &epilogue(&x, parts)?, &kept));
            }
        }
    }
    table.finish();
}

fn unpack(x: &Tensor, parts: [Option<&Tensor>; 2], relu: bool) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (texels, y) = (rig.input_as(Format::Texels, "x", x)?, rig.output("y", x.shape));
    let epilogue = rig.epilogue(Format::Nchw, parts)?;
    ops::unpack(&mut rig.rec, "unpack", texels, y, epilogue, relu)?;
    rig.run()?.read(y)
}

fn epilogue(x: &Tensor, parts: [Option<&Tensor>; 2]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (texels, y) = (rig.input_as(Format::Texels, "x", x)?, rig.output_as(Format::Texels, "y", x.shape));
    let epilogue = rig.epilogue(Format::Texels, parts)?;
    ops::finish_gradient(&mut rig.rec, "epilogue", texels, y, epilogue)?;
    rig.run()?.read(y)
}
