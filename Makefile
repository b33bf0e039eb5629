# Everything uses one profile: optimised dependencies, own code with checks (see [profile.dev] in Cargo.toml). So nothing is compiled
# twice; the slow work runs on the adapter.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Vulkan's loader needs this folder. Login sessions have one; containers and CI jobs do not.
export XDG_RUNTIME_DIR := $(or $(XDG_RUNTIME_DIR),$(CURDIR)/target/runtime)
ARGS ?= --class umbrella --force
BENCH ?= --batch 1
PEERS ?=
PEERS_PYTHON ?= target/peers/venv/bin/python

SNAKEMAKE ?= target/snakemake/venv/bin/snakemake

.PHONY: help run test bench peers workflow check driver cargo
help:
	@echo "make run       makes a prototype with the built-in network, in out/; ARGS='--class key --seed 3' makes another"
	@echo "make test      runs make check, then all tests; installs software Vulkan if there is no adapter and it can"
	@echo "make bench     times a step, its kernels and single ops; BENCH='--batch 1,8,32' sets options of protogpu bench"
	@echo "make peers     times a step against PyTorch, candle and burn, which it installs; PEERS='--help' lists options"
	@echo "make workflow  runs a small sweep with two workers of Snakemake, which it installs, and kills one on the way"
	@echo "make check     runs the formatter, clippy and rustdoc, and fails on any warning"

run: cargo driver
	cargo run --locked -- run $(ARGS)

test: cargo driver check
	cargo test --locked

bench: cargo driver
	cargo run --locked -- bench $(BENCH)
	cargo bench --locked --profile dev

peers: cargo driver $(PEERS_PYTHON)
	$(PEERS_PYTHON) benches/peers/run.py $(PEERS)

# Another Python with these packages: make peers PEERS_PYTHON=...
target/peers/venv/bin/python: tests/golden/requirements.txt
	python3 -m venv target/peers/venv
	target/peers/venv/bin/pip install -q -r $<
	@touch $@

workflow: cargo driver $(SNAKEMAKE)
	cargo build --locked
	SNAKEMAKE="$(abspath $(SNAKEMAKE))" sh examples/snakemake/test.sh target/snakemake/work

# Another installation: make workflow SNAKEMAKE=...
target/snakemake/venv/bin/snakemake: examples/snakemake/requirements.txt
	python3 -m venv target/snakemake/venv
	target/snakemake/venv/bin/pip install -q -r $<
	@touch $@

check: cargo
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

driver:
	@mkdir -p -m 700 "$(XDG_RUNTIME_DIR)"
	@sh .ci/driver

cargo:
	@command -v cargo >/dev/null || { echo "no cargo: install Rust from https://rustup.rs, then try again" >&2; exit 1; }
