//! A table of named cases that runs to its end and then lists the failures.

use std::fmt::Display;

use super::Outcome;

/// The cases of one op.
pub(crate) struct Table {
    op: &'static str,
    only: Option<String>,
    ran: usize,
    passed_over: usize,
    failures: Vec<String>,
}

impl Table {
    /// An empty table. `PROTOGPU_CASE` selects the cases to run.
    pub(crate) fn new(op: &'static str) -> Self {
        Self::only(op, std::env::var("PROTOGPU_CASE").ok())
    }

    fn only(op: &'static str, only: Option<String>) -> Self {
        Self { op, only, ran: 0, passed_over: 0, failures: Vec::new() }
    }

    /// Runs the case `<op>.<name>`, unless others are selected.
    pub(crate) fn case(&mut self, name: impl Display, check: impl FnOnce() -> Outcome) {
        let name = format!("{}.{name}", self.op);
        if self.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            self.passed_over += 1;
            return;
        }
        self.ran += 1;
        if let Err(e) = check() {
            self.failures.push(format!("{name}: {e}"));
        }
    }

    /// Fails with the list of cases that failed, or if there was no case at all.
    #[track_caller]
    pub(crate) fn finish(self) {
        let Self { op, ran, passed_over, failures, .. } = self;
        println!("{op}: {ran} cases, {passed_over} passed over");
        assert!(ran + passed_over > 0, "{op}: the table is empty");
        let list = failures.join("\n  ");
        let count = failures.len();
        assert!(count == 0, "{count} of {ran} cases fail (PROTOGPU_CASE='<name>' reruns one):\n  {list}");
    }
}

fn three_cases(only: Option<&str>) -> Table {
    let mut table = Table::only("sum", only.map(str::to_owned));
    table.case("forward 2x3", || Err("y is off".into()));
    table.case("forward 5x7", || Ok(()));
    table.case("backward 2x3", || Err("dx is off".into()));
    table
}

#[test]
#[should_panic(expected = "2 of 3 cases fail (PROTOGPU_CASE='<name>' reruns one):\n  sum.forward 2x3: y is off\n  \
                           sum.backward 2x3: dx is off")]
fn every_failure_is_listed() {
    three_cases(None).finish();
}

#[test]
#[should_panic(expected = "1 of 1 cases fail")]
fn a_case_is_rerun_by_its_name() {
    three_cases(Some("sum.backward 2x3")).finish();
}

#[test]
#[should_panic(expected = "the table is empty")]
fn an_empty_table_proves_nothing() {
    Table::only("sum", None).finish();
}
