//! Which outputs are texels: those that only ops touch which know them.

use super::slices::Slice;
use super::{Graph, NodeId, Op, Retain};
use crate::gpu::Capabilities;
use crate::ops::{Format, TEXELS_MAX_PLANE};

impl Graph {
    /// A format for each node's output. On software adapters everything between convolutions and pools is texels; what is
    /// read back, and what other ops write or read, is not. A residual has the format of the sum that it goes into.
    pub(super) fn formats(&self, capabilities: Capabilities, keep: Retain, slices: &[Option<Slice>]) -> Vec<Format> {
        let knows_texels = |op: &Op| match op {
            Op::Conv2d { .. } | Op::Concat => true,
            Op::MaxPool2d(pool) => pool.knows_texels(),
            Op::LocalResponseNorm(norm) => norm.knows_texels(),
            _ => false,
        };
        let mut texels: Vec<bool> = self.nodes.iter().map(|n| n.shape.rank() == 4 && knows_texels(&n.op)).collect();
        // A slice of texels begins with one, and the next follows its last.
        for (i, slice) in slices.iter().enumerate() {
            let Some(Slice { of, first }) = slice else { continue };
            let (end, all) = (first + self.nodes[i].shape.c(), self.node(*of).shape.c());
            texels[of.0] &= first % 4 == 0 && (end % 4 == 0 || end == all);
        }
        let fits = |node: &super::Node| node.shape.rank() != 4 || node.shape.plane_len() <= TEXELS_MAX_PLANE;
        if keep == Retain::All || !capabilities.prefers_texels() || !self.nodes.iter().all(fits) {
            texels.fill(false);
        }
        // Who looks at an end unpacks it.
        if let Some(output) = texels.last_mut().filter(|_| self.outputs.is_empty()) {
            *output = false;
        }
        // One that must not be texels may rule out others.
        loop {
            let before = texels.clone();
            for (i, node) in self.nodes.iter().enumerate() {
                let mut both = |a: NodeId| {
                    let together = texels[a.0] && texels[i];
                    (texels[a.0], texels[i]) = (together, together);
                };
                match node.op {
                    // Packs its input and unpacks its output if need be, but adds a residual only in the output's format.
                    Op::Conv2d { .. } => node.inputs.iter().skip(1).for_each(|&residual| both(residual)),
                    Op::MaxPool2d(_) | Op::LocalResponseNorm(_) => node.inputs.iter().for_each(|&x| both(x)),
                    // All are one tensor if they are in place, and otherwise copied from buffer to buffer.
                    Op::Concat if slices[node.inputs[0].0].is_some() => node.inputs.iter().for_each(|&x| both(x)),
                    Op::Concat => {
                        node.inputs.iter().for_each(|x| texels[x.0] = false);
                        texels[i] = false;
                    }
                    Op::GlobalAvgPool2d(_) => {}
                    _ => node.inputs.iter().for_each(|x| texels[x.0] = false),
                }
            }
            if texels == before {
                break;
            }
        }
        texels.into_iter().map(|yes| if yes { Format::Texels } else { Format::Nchw }).collect()
    }
}
