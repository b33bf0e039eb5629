//! Which tensors share a buffer: never two that are alive at once, never a kept one or a constant, and at least those of a chain.

use std::collections::HashMap;

use proptest::prelude::*;
use protogpu::gpu::{Grid, Kernel, Layout, Memory, NoParams, Recording, TensorId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Texels,
    Kept,
    Constant,
    /// Of the tensor with this number, from so many times 64 elements on.
    View(usize, usize),
}

type Spec = (Kind, usize);

fn add_tensor(rec: &mut Recording, ids: &[TensorId], (kind, len): Spec) -> TensorId {
    let label = format!("{kind:?} {}", ids.len());
    match kind {
        Kind::Transient => rec.transient(label, len),
        Kind::Texels => rec.transient_of(label, len, Layout::Texels),
        Kind::Kept => rec.kept(label, len),
        // Others than those before it, or it would be one of them.
        Kind::Constant => rec.table(label, Layout::Words, vec![ids.len() as u32; len]),
        Kind::View(of, first) => rec.view(ids[of], 64 * first, len).expect("within its tensor"),
    }
}

/// Tensors in the order of their numbers, and a command for each list of numbers; `sections` are the commands with which one
/// begins.
fn record(tensors: &[Spec], commands: &[Vec<usize>], sections: &[usize]) -> Recording {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let mut rec = Recording::new();
    let mut ids: Vec<TensorId> = Vec::new();
    for &tensor in tensors {
        let id = add_tensor(&mut rec, &ids, tensor);
        ids.push(id);
    }
    for (at, command) in commands.iter().enumerate() {
        if let Some(section) = sections.iter().position(|&begin| begin == at) {
            rec.section(NAMES[section]);
        }
        let bindings: Vec<_> = command.iter().map(|&i| ("x", ids[i], tensors[i].1)).collect();
        let kernel = Kernel::new("add", "forward");
        rec.dispatch("command", kernel, &bindings, &NoParams, Grid::Each(1), 0).expect("the lengths fit");
    }
    rec
}

/// The tensor in which a tensor's elements lie.
fn home(tensors: &[Spec], i: usize) -> usize {
    if let Kind::View(of, _) = tensors[i].0 { of } else { i }
}

/// What must hold, told without the planner's own arithmetic: walk the commands and see who is in each buffer.
fn check(tensors: &[Spec], commands: &[Vec<usize>], memory: &Memory) -> Result<(), String> {
    let used_in =
        |tensor: usize| (0..commands.len()).filter(move |&at| commands[at].iter().any(|&i| home(tensors, i) == tensor));
    let homes = || (0..tensors.len()).filter(|&i| home(tensors, i) == i);
    for (i, &(kind, len)) in tensors.iter().enumerate() {
        if let Kind::View(of, _) = kind {
            if memory.buffer_of[i] != memory.buffer_of[of] {
                return Err(format!("view {i} does not lie where {of} lies"));
            }
            continue;
        }
        let needed = kind == Kind::Kept || used_in(i).next().is_some();
        let layout = if kind == Kind::Texels { Layout::Texels } else { Layout::Words };
        match memory.buffer_of[i] {
            None if needed => return Err(format!("tensor {i} has no buffer")),
            Some(_) if !needed => return Err(format!("tensor {i} has a buffer for nothing")),
            Some(b) if memory.buffer_len[b] < len => return Err(format!("tensor {i} does not fit buffer {b}")),
            Some(b) if memory.buffer_layout[b] != layout => return Err(format!("tensor {i} is not what {b} is")),
            _ => {}
        }
    }
    let alone = |i: usize| matches!(tensors[i].0, Kind::Kept | Kind::Constant);
    for i in homes().filter(|&i| alone(i)) {
        let shares = |&other: &usize| other != i && memory.buffer_of[other] == memory.buffer_of[i];
        if let Some(other) = homes().find(shares).filter(|_| memory.buffer_of[i].is_some()) {
            return Err(format!("{i} is kept or constant and shares its buffer with {other}"));
        }
    }
    for at in 0..commands.len() {
        let mut holder: HashMap<usize, usize> = HashMap::new();
        let alive = |i: &usize| used_in(*i).any(|u| u <= at) && used_in(*i).any(|u| u >= at);
        for i in homes().filter(alive) {
            let b = memory.buffer_of[i].expect("seen above");
            if let Some(other) = holder.insert(b, i) {
                return Err(format!("{i} and {other} share buffer {b} and are both alive at command {at}"));
            }
        }
    }
    Ok(())
}

/// Tensors with views behind them, commands over all of these, and where sections begin.
fn recordings() -> impl Strategy<Value = (Vec<Spec>, Vec<Vec<usize>>, Vec<usize>)> {
    let kind = prop_oneof![
        6 => Just(Kind::Transient), 3 => Just(Kind::Texels), 1 => Just(Kind::Kept), 1 => Just(Kind::Constant),
    ];
    let tensors = proptest::collection::vec((kind, 1usize..300), 1..14);
    let views = proptest::collection::vec((any::<prop::sample::Index>(), 0usize..5, 1usize..300), 0..6);
    (tensors, views).prop_flat_map(|(mut tensors, views)| {
        let plain: Vec<usize> = (0..tensors.len()).filter(|&i| tensors[i].0 != Kind::Texels).collect();
        for (of, first, len) in views.into_iter().filter(|_| !plain.is_empty()) {
            let of = plain[of.index(plain.len())];
            let first = first.min((tensors[of].1 - 1) / 64);
            tensors.push((Kind::View(of, first), len.min(tensors[of].1 - 64 * first)));
        }
        let command = proptest::collection::vec(0..tensors.len(), 1..4);
        let commands = proptest::collection::vec(command, 0..24);
        let sections =
            proptest::collection::btree_set(0usize..24, 0..4).prop_map(|begins| begins.into_iter().collect());
        (Just(tensors), commands, sections)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_shares_while_alive((tensors, commands, sections) in recordings()) {
        let memory = Memory::plan(&record(&tensors, &commands, &sections));
        check(&tensors, &commands, &memory).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn separate_means_separate((tensors, commands, sections) in recordings()) {
        let memory = Memory::separate(&record(&tensors, &commands, &sections));
        // Views come last, so that the tensors before them have the first buffers.
        let own = (0..tensors.len()).map(|i| Some(home(&tensors, i))).collect::<Vec<_>>();
        prop_assert_eq!(memory.buffer_of, own);
    }
}

/// x → t0 → t1 → … → y: each command reads one and writes the next.
fn chain(len: usize) -> (Vec<Spec>, Vec<Vec<usize>>) {
    let mut tensors = vec![(Kind::Transient, 10); len];
    (tensors[0], tensors[len - 1]) = ((Kind::Kept, 10), (Kind::Kept, 10));
    (tensors, (1..len).map(|i| vec![i - 1, i]).collect())
}

#[test]
fn a_chain_needs_two_buffers_besides_its_ends() {
    let (tensors, commands) = chain(12);
    let memory = Memory::plan(&record(&tensors, &commands, &[]));
    check(&tensors, &commands, &memory).expect("valid");
    assert_eq!(memory.buffer_len, [10; 4]);
    assert_eq!(memory.bytes(), 160);
}

#[test]
fn the_longest_comes_first_and_shorter_ones_fit_in() {
    let (mut tensors, commands) = chain(8);
    (1..7).for_each(|i| tensors[i].1 = 10 * i);
    let memory = Memory::plan(&record(&tensors, &commands, &[]));
    check(&tensors, &commands, &memory).expect("valid");
    // 60 with 40 and 20 in it, 50 with 30 and 10.
    assert_eq!(memory.buffer_len, [10, 10, 60, 50]);
}

#[test]
fn the_check_sees_two_alive_in_one_buffer() {
    let (tensors, commands) = chain(5);
    let mut memory = Memory::plan(&record(&tensors, &commands, &[]));
    memory.buffer_of[2] = memory.buffer_of[1];
    let said = check(&tensors, &commands, &memory).expect_err("1 and 2 meet in command 1");
    assert!(said.ends_with("are both alive at command 1"), "{said}");
    memory.buffer_of[2] = memory.buffer_of[0];
    let said = check(&tensors, &commands, &memory).expect_err("0 is kept");
    assert_eq!(said, "0 is kept or constant and shares its buffer with 2");
    // A view that lies elsewhere, and texels in a buffer.
    let tensors = [(Kind::Transient, 64), (Kind::View(0, 0), 64), (Kind::Texels, 64)];
    let commands = [vec![0, 2], vec![1]];
    let good = Memory::plan(&record(&tensors, &commands, &[]));
    check(&tensors, &commands, &good).expect("valid");
    let elsewhere = Memory { buffer_of: vec![Some(0), Some(1), Some(1)], ..good.clone() };
    let said = check(&tensors, &commands, &elsewhere).expect_err("the view is not where its tensor is");
    assert_eq!(said, "view 1 does not lie where 0 lies");
    let (of, swapped) = (good.buffer_of.clone(), good.buffer_layout.iter().rev().copied().collect());
    let said = check(&tensors, &commands, &Memory { buffer_of: of, buffer_layout: swapped, ..good });
    assert_eq!(said.expect_err("texels are no words"), "tensor 0 is not what 0 is");
}

#[test]
fn a_view_is_where_its_tensor_is_and_keeps_it_alive() {
    let mut rec = Recording::new();
    let [x, late, other] = [256, 4, 256].map(|len| rec.transient("tensor", len));
    let view = rec.view(x, 128, 64).expect("within, and at a multiple of 64");
    let unused = rec.view(other, 0, 4).expect("within");
    for bound in [[(x, 256), (late, 4)], [(other, 256), (late, 4)], [(view, 64), (late, 4)]] {
        let bindings = bound.map(|(tensor, len)| ("x", tensor, len));
        rec.dispatch("command", Kernel::new("add", "forward"), &bindings, &NoParams, Grid::Each(1), 0).expect("fits");
    }
    let index = |memory: &Memory, tensor: TensorId| {
        memory.buffer_of[[x, late, other, view, unused].iter().position(|&t| t == tensor).expect("one of them")]
    };
    for memory in [Memory::plan(&rec), Memory::separate(&rec)] {
        assert_eq!(index(&memory, view), index(&memory, x));
        assert_eq!(index(&memory, unused), index(&memory, other));
        assert_ne!(index(&memory, x), index(&memory, other), "the view is read after the other was written");
        assert_eq!(memory.buffer_len.len(), 3);
    }
    let texels = rec.transient_of("texels", 256, Layout::Texels);
    for (of, first, len) in [(x, 192, 65), (x, usize::MAX - 63, 64), (x, 32, 4), (view, 0, 4), (texels, 0, 4)] {
        let said = rec.view(of, first, len).expect_err("no such view").to_string();
        assert!(said.contains(&format!("no view of {len} elements from {first} on")), "{said}");
    }
}
