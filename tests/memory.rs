//! Which tensors share a buffer: never two that are alive at once, never a kept one, and at least those of a chain.

use std::collections::HashMap;

use proptest::prelude::*;
use protogpu::gpu::{Grid, Kernel, Layout, Memory, NoParams, Recording, Sources, TensorId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Kept,
    Constant,
}

fn add_tensor(rec: &mut Recording, i: usize, (kind, len): (Kind, usize)) -> TensorId {
    match kind {
        Kind::Transient => rec.transient(format!("transient {i}"), len),
        Kind::Kept => rec.kept(format!("kept {i}"), len),
        Kind::Constant => {
            let name = format!("constant {i}");
            rec.constant(name.clone(), Sources::default(), name, len, Layout::Words, move || Ok(vec![0; len]))
        }
    }
}

/// Tensors in the order of their numbers, and a command for each list of numbers.
fn record(tensors: &[(Kind, usize)], commands: &[Vec<usize>]) -> Recording {
    let mut rec = Recording::new();
    let ids: Vec<TensorId> = tensors.iter().enumerate().map(|(i, &t)| add_tensor(&mut rec, i, t)).collect();
    for command in commands {
        let bindings: Vec<_> = command.iter().map(|&i| ("x", ids[i], tensors[i].1)).collect();
        let kernel = Kernel::new("add", "forward");
        rec.dispatch("command", kernel, &bindings, &NoParams, Grid::Each(1), 0).expect("the lengths fit");
    }
    rec
}

/// What must hold, told without the planner's own arithmetic: walk the commands and see who is in each buffer.
fn check(tensors: &[(Kind, usize)], commands: &[Vec<usize>], memory: &Memory) -> Result<(), String> {
    let used_in = |tensor: usize| (0..commands.len()).filter(move |&at| commands[at].contains(&tensor));
    for (i, &(kind, len)) in tensors.iter().enumerate() {
        let needed = kind == Kind::Kept || used_in(i).next().is_some();
        match memory.buffer_of[i] {
            None if needed => return Err(format!("tensor {i} has no buffer")),
            Some(_) if !needed => return Err(format!("tensor {i} has a buffer for nothing")),
            Some(b) if memory.buffer_len[b] < len => return Err(format!("tensor {i} does not fit buffer {b}")),
            _ => {}
        }
    }
    let alone = |i: usize| tensors[i].0 != Kind::Transient;
    let mut kept_in: HashMap<usize, usize> = HashMap::new();
    for i in (0..tensors.len()).filter(|&i| alone(i)) {
        if let Some(b) = memory.buffer_of[i]
            && let Some(other) = kept_in.insert(b, i)
        {
            return Err(format!("{i} and {other} are kept and share buffer {b}"));
        }
    }
    for at in 0..commands.len() {
        let mut holder: HashMap<usize, usize> = kept_in.clone();
        let alive = |i: &usize| used_in(*i).any(|u| u <= at) && used_in(*i).any(|u| u >= at);
        for i in (0..tensors.len()).filter(|&i| !alone(i)).filter(alive) {
            let b = memory.buffer_of[i].expect("seen above");
            if let Some(other) = holder.insert(b, i) {
                return Err(format!("{i} and {other} share buffer {b} and are both alive at command {at}"));
            }
        }
    }
    Ok(())
}

fn recordings() -> impl Strategy<Value = (Vec<(Kind, usize)>, Vec<Vec<usize>>)> {
    let kind = prop_oneof![4 => Just(Kind::Transient), 1 => Just(Kind::Kept), 1 => Just(Kind::Constant)];
    proptest::collection::vec((kind, 1usize..50), 1..16).prop_flat_map(|tensors| {
        let command = proptest::collection::vec(0..tensors.len(), 1..4);
        (Just(tensors), proptest::collection::vec(command, 0..24))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_shares_while_alive((tensors, commands) in recordings()) {
        let memory = Memory::plan(&record(&tensors, &commands));
        check(&tensors, &commands, &memory).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn separate_means_separate((tensors, commands) in recordings()) {
        let memory = Memory::separate(&record(&tensors, &commands));
        prop_assert_eq!(memory.buffer_of, (0..tensors.len()).map(Some).collect::<Vec<_>>());
    }
}

/// x → t0 → t1 → … → y: each command reads one and writes the next.
fn chain(len: usize) -> (Vec<(Kind, usize)>, Vec<Vec<usize>>) {
    let mut tensors = vec![(Kind::Transient, 10); len];
    (tensors[0], tensors[len - 1]) = ((Kind::Kept, 10), (Kind::Kept, 10));
    (tensors, (1..len).map(|i| vec![i - 1, i]).collect())
}

#[test]
fn a_chain_needs_two_buffers_besides_its_ends() {
    let (tensors, commands) = chain(12);
    let memory = Memory::plan(&record(&tensors, &commands));
    check(&tensors, &commands, &memory).expect("valid");
    assert_eq!(memory.buffer_len, [10; 4]);
    assert_eq!(memory.bytes(), 160);
}

#[test]
fn the_longest_comes_first_and_shorter_ones_fit_in() {
    let (mut tensors, commands) = chain(8);
    (1..7).for_each(|i| tensors[i].1 = 10 * i);
    let memory = Memory::plan(&record(&tensors, &commands));
    check(&tensors, &commands, &memory).expect("valid");
    // 60 with 40 and 20 in it, 50 with 30 and 10.
    assert_eq!(memory.buffer_len, [10, 10, 60, 50]);
}

#[test]
fn the_check_sees_two_alive_in_one_buffer() {
    let (tensors, commands) = chain(5);
    let mut memory = Memory::plan(&record(&tensors, &commands));
    memory.buffer_of[2] = memory.buffer_of[1];
    let said = check(&tensors, &commands, &memory).expect_err("1 and 2 meet in command 1");
    assert!(said.ends_with("are both alive at command 1"), "{said}");
    memory.buffer_of[2] = memory.buffer_of[0];
    assert!(check(&tensors, &commands, &memory).is_err(), "a kept tensor shares with nobody");
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
