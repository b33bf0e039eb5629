//! Decides which outputs are texels: only ops with kernels for texels may touch these.

use super::slices::Slice;
use super::{Graph, NodeId, Retain};
use crate::gpu::Capabilities;
use crate::ops::{Format, Formats, InputFormat, TEXELS_MAX_PLANE};

impl Graph {
    /// A format for the output of each node, which its op and its readers allow. On software adapters, everything between
    /// convolutions and pools is texels. Outputs that are read back are not.
    pub(super) fn formats(&self, capabilities: Capabilities, retain: Retain, slices: &[Option<Slice>]) -> Vec<Format> {
        let of = |node: &super::Node| node.op.formats(node.inputs.first().is_some_and(|x| slices[x.0].is_some()));
        let formats: Vec<Formats> = self.nodes.iter().map(of).collect();
        let may_be = |(node, formats): (&super::Node, &Formats)| node.shape.rank() == 4 && formats.texels;
        let mut texels: Vec<bool> = self.nodes.iter().zip(&formats).map(may_be).collect();
        // A slice of texels begins with a whole texel, and the next slice begins after its last.
        for (i, slice) in slices.iter().enumerate() {
            let Some(Slice { of, first }) = slice else { continue };
            let (end, all) = (first + self.nodes[i].shape.c(), self.node(*of).shape.c());
            texels[of.0] &= first % 4 == 0 && (end % 4 == 0 || end == all);
        }
        let fits = |node: &super::Node| node.shape.rank() != 4 || node.shape.plane_len() <= TEXELS_MAX_PLANE;
        if retain == Retain::All || !capabilities.prefers_texels() || !self.nodes.iter().all(fits) {
            texels.fill(false);
        }
        // The output of the graph is read back. The readers of marked outputs unpack them.
        if let Some(output) = texels.last_mut().filter(|_| self.outputs.is_empty()) {
            *output = false;
        }
        // An output that must not be texels may rule out others.
        loop {
            let before = texels.clone();
            for (i, (node, formats)) in self.nodes.iter().zip(&formats).enumerate() {
                for (at, &NodeId(x)) in node.inputs.iter().enumerate() {
                    match if at == 0 { formats.first } else { formats.others } {
                        InputFormat::Any => {}
                        InputFormat::Nchw => texels[x] = false,
                        InputFormat::Output => {
                            let both = texels[x] && texels[i];
                            (texels[x], texels[i]) = (both, both);
                        }
                    }
                }
            }
            if texels == before {
                break;
            }
        }
        texels.into_iter().map(|yes| if yes { Format::Texels } else { Format::Nchw }).collect()
    }
}
