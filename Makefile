# One profile for everything: dependencies optimised, own code checked (see [profile.dev] in Cargo.toml). Nothing is compiled
# twice, and what is slow runs on the adapter.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Vulkan's loader wants a folder of its own; a login session has one, a container or a CI job has not.
export XDG_RUNTIME_DIR := $(or $(XDG_RUNTIME_DIR),$(CURDIR)/target/runtime)
ARGS ?= --class umbrella --force
BENCH ?= --batch 1
PEERS ?=
PEERS_PYTHON ?= target/peers/venv/bin/python

SNAKEMAKE ?= target/snakemake/venv/bin/snakemake

.PHONY: help run test bench peers workflow check driver cargo
help:
	@echo "make run     a prototype by the embedded network, into out/; ARGS='--class key --seed 3' for another"
	@echo "make test    check, then all tests; needs an adapter or software Vulkan, installed where possible"
	@echo "make bench   times a step, its kernels and single ops; BENCH='--batch 1,8,32' for other options of protogpu bench"
	@echo "make peers   times a step against PyTorch, candle and burn, which it installs; PEERS='--help' for options"
	@echo "make workflow splits a small sweep over two workers of Snakemake, which it installs, and kills one on the way"
	@echo "make check   format, clippy and documentation, without a warning"

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
