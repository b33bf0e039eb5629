//! `protogpu adapters`: lists the adapters.

use crate::Result;
use crate::gpu::{AdapterChoice, Context, list_adapters};

use super::open::adapter_record;
use super::terminal::{print, print_json, table};
use crate::lab::run::record::AdapterRecord;

/// List the adapters that --adapter can choose
#[derive(clap::Args, Debug)]
pub(crate) struct AdaptersArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Row {
    index: usize,
    /// Whether it is the one used without --adapter.
    default: bool,
    #[serde(flatten)]
    adapter: AdapterRecord,
}

impl AdaptersArgs {
    /// Lists the adapters, and marks the default.
    pub(crate) fn run(&self) -> Result<()> {
        // Without adapters, this error explains what to install.
        let best = adapter_record(Context::new(&AdapterChoice::Best)?.info());
        let adapters: Vec<AdapterRecord> = list_adapters().iter().map(adapter_record).collect();
        let default = adapters.iter().position(|adapter| *adapter == best);
        let rows: Vec<Row> = adapters
            .into_iter()
            .enumerate()
            .map(|(index, adapter)| Row { index, default: default == Some(index), adapter })
            .collect();
        if self.json {
            return print_json(&serde_json::json!({ "adapters": rows }));
        }
        let head = ["", "name", "kind", "backend", "driver", ""].map(String::from).to_vec();
        let line = |row: &Row| {
            let AdapterRecord { name, device_type, backend, driver, driver_info, .. } = &row.adapter;
            let chosen = if row.default { "(default)" } else { "" };
            let driver = format!("{driver} {driver_info}").trim().to_owned();
            vec![row.index.to_string(), name.clone(), device_type.clone(), backend.clone(), driver, chosen.into()]
        };
        print(&table(&std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>()))
    }
}
