//! `protogpu modules`: the modules of a network.

use crate::Result;
use crate::networks::{Module, Semantics};
use serde_json::json;

use super::args::NetworkArgs;
use super::terminal::{print, print_json, table};

/// List a network's modules and their output shapes
#[derive(clap::Args, Debug)]
pub(crate) struct ModulesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl ModulesArgs {
    /// Lists the modules in torchvision's order, with their output shapes for one image.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.network.open()?;
        let shape = |module: &Module| network.graph().node(module.node(Semantics::Snapshot)).shape.nchw();
        if self.json {
            let rows = network.modules().iter().map(|module| json!({"name": module.name, "shape": shape(module)}));
            let rows: Vec<_> = rows.collect();
            return print_json(&json!({"architecture": network.architecture(), "modules": rows}));
        }
        let head = vec!["module".to_owned(), "output [N,C,H,W]".to_owned()];
        let rows = network.modules().iter().map(|module| vec![module.name.clone(), format!("{:?}", shape(module))]);
        print(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
    }
}
