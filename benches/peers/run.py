"""Times the same step in protogpu and its peers, taking turns. `python benches/peers/run.py --help`; see ../README.md.

Needs torch, torchvision, numpy and safetensors (tests/golden/requirements.txt); `make peers` sees to that.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import reference

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "peers"
RUST = {"protogpu": "protogpu", "candle": "candle-core", "burn": "burn"}
CHECKED_STEPS = 3

# How far from float64 a peer may be.
TOLERANCES = {
    # Largest difference, in parts of the largest logit: 18 layers of sums in another order, Winograd's included.
    "logits": 1e-3,
    # The same for the loss of three steps, most of which is the total variation.
    "losses": 1e-4,
    # L2 norm of the difference, in parts of the network's share of the gradient. A ReLU of two million that rounding tips over
    # moves it by 1e-3, and a step has some; a wrong tap, sign or layer moves it by 1e-1 and more.
    "gradient": 5e-2,
    # The same, in parts of the way that the pixels went in three steps.
    "images": 2e-2,
}


class Skip(Exception):
    """Why a peer takes no part."""


class Peer:
    """A process that waits on its stdin, and so leaves the cores to others, when it is not its turn."""

    def __init__(self, name: str, command: list[str], version: str, patience_s: float):
        self.name, self.version, self.patience_s = name, version, patience_s
        self.log, env = TARGET / f"{name}.log", os.environ | {"RUST_BACKTRACE": "0"}
        self.times_ms: list[float] = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True, cwd=TARGET, env=env
        )

    def ask(self, line: str = "") -> str:
        """Sends a line, if there is one, and waits for the answer."""
        watchdog = threading.Timer(self.patience_s, self.process.kill)
        watchdog.start()
        try:
            if line:
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        late = not watchdog.is_alive()
        watchdog.cancel()
        if answer:
            return answer.strip()
        self.process.kill()
        if late:
            raise Skip(f"no answer to `{line or 'start'}` within {self.patience_s:.0f} s; --patience gives it longer")
        lines = [line for line in self.log.read_text().splitlines() if line and not line.startswith("note:")]
        said = lines[-1][:300] if lines else "it said nothing"
        raise Skip(f"it ended with status {self.process.wait()}: {said} (all of it in {self.log})")

    def step_ms(self, count: int) -> float:
        return float(self.ask(f"step {count}")) / count


def main() -> None:
    args = arguments()
    TARGET.mkdir(parents=True, exist_ok=True)
    # burn keeps what it tuned and compiled here, and the next run has it.
    (TARGET / "cubecl.toml").write_text('[environment]\npath = "local"\n')
    weights, path = TARGET / "weights.safetensors", TARGET / "input.safetensors"
    save_file(reference.make_weights(args.network, args.weights), weights)
    save_file(reference.make_input(args.batch), path)
    say(f"computing {CHECKED_STEPS} steps in float64")
    truth = reference.compute(args.network, weights, path, CHECKED_STEPS)

    peers, skipped = [], {}
    for name in args.peers:
        try:
            peer = start(name, args, [args.network, str(weights), str(path)])
            peer.errors = check(peer, truth, load_file(path)["images"])
            warm_up(peer, args.steps)
            peers.append(peer)
        except Skip as reason:
            say(f"{name} is skipped: {reason}")
            skipped[name] = str(reason)
    if peers:
        take_turns(peers, skipped, args.rounds)
    report(peers, skipped, args)
    sys.exit(0 if peers else 1)


def arguments() -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    default = ["protogpu", "torch-eager", "torch-channels_last", "torch-channels_last+fold", "torch-compile", *["torch-graphs"] * cuda, "candle", "burn"]
    parser = argparse.ArgumentParser(description="Times the same step in protogpu and its peers, taking turns.")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=default, help=f"of {','.join(default)}; "
                        "torch takes flags joined by +, as in torch-channels_last+fold (default: all)")  # fmt: skip
    parser.add_argument("--network", default="resnet18", help="torchvision's name (default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="safetensors with torchvision's names (default: generated)")
    parser.add_argument("--batch", type=int, default=1, help="images (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each peer (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="steps a turn (default: as fill a quarter of a second, 1 to 100)")
    parser.add_argument("--patience", type=float, default=1800, help="seconds for any answer (default: %(default)s)")
    parser.add_argument("--torch-device", default="cuda" if cuda else "cpu", help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="writes everything there")
    return parser.parse_args()


def start(name: str, args: argparse.Namespace, rest: list[str]) -> Peer:
    """Builds it if need be, starts it, and waits until it is ready."""
    library, _, flags = name.partition("-")
    if library == "torch":
        command = [sys.executable, str(HERE / "torch_peer.py"), flags or "eager", args.torch_device]
        version = importlib.metadata.version("torch")
    elif library in RUST:
        command, version = [str(build(library, feature=name))], locked_version(RUST[library])
        if name == "protogpu":
            version = subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True).strip()
    else:
        raise Skip(f"there is no such peer; there are {', '.join(RUST)} and torch-FLAGS")
    say(f"{name}: starting")
    peer = Peer(name, command + rest, version, args.patience)
    peer.device = peer.ask()
    return peer


def build(library: str, feature: str) -> Path:
    """With its own feature alone, so that it has exactly its own dependencies."""
    say(f"{feature}: building")
    command = ["cargo", "build", "--manifest-path", HERE / "Cargo.toml", "--target-dir", TARGET]
    # As candle's documentation advises; the others do their work on the adapter.
    env = os.environ | {"RUSTFLAGS": "-C target-cpu=native"}
    if subprocess.run([*command, "--features", feature, "--bin", f"{library}_peer"], env=env).returncode:
        raise Skip("it does not build, see above")
    return TARGET / "debug" / f"{library}_peer"


def locked_version(package: str) -> str:
    packages = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    return next(p["version"] for p in packages if p["name"] == package)


def check(peer: Peer, truth: dict[str, np.ndarray], start: np.ndarray) -> dict[str, float]:
    """How far its numbers are from float64's; skips it if that is too far. First steps may tune, so this may take long."""
    say(f"{peer.name}: checking, on {peer.device}")
    file = TARGET / f"{peer.name}.safetensors"
    peer.ask(f"check {CHECKED_STEPS} {file}")
    found = {name: tensor.astype(np.float64) for name, tensor in load_file(file).items()}

    difference = {name: tensor - truth[name] for name, tensor in found.items()}
    errors = {
        "logits": np.abs(difference["logits"]).max() / np.abs(truth["logits"]).max(),
        "losses": np.abs(difference["losses"]).max() / np.abs(truth["losses"]).max(),
        "gradient": np.linalg.norm(difference["gradient"]) / np.linalg.norm(truth["network_gradient"]),
        "images": np.linalg.norm(difference["images"]) / np.linalg.norm(truth["images"] - start),
    }
    errors = {name: float(error) for name, error in errors.items()}
    say(f"{peer.name}: off by " + ", ".join(f"{error:.1e} ({name})" for name, error in errors.items()))
    wrong = [f"{name} off by {e:.1e}, at most {TOLERANCES[name]:.0e}" for name, e in errors.items() if not e <= TOLERANCES[name]]
    if wrong:
        peer.process.kill()
        raise Skip("its numbers are wrong: " + "; ".join(wrong))
    return errors


def warm_up(peer: Peer, steps: int | None) -> None:
    peer.step_ms(3)
    peer.steps = steps or int(np.clip(250 / peer.step_ms(1), 1, 100))


def take_turns(peers: list[Peer], skipped: dict[str, str], rounds: int) -> None:
    """Every round each peer once, each round beginning with the next one."""
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        shift = turn % max(len(peers), 1)
        for peer in peers[shift:] + peers[:shift]:
            try:
                peer.times_ms.append(peer.step_ms(peer.steps))
            except Skip as reason:
                peers.remove(peer)
                skipped[peer.name] = str(reason)
            # Threads that wait for more work by spinning, as OpenMP's, give up within this.
            time.sleep(0.05)


def report(peers: list[Peer], skipped: dict[str, str], args: argparse.Namespace) -> None:
    base = next((peer.times_ms for peer in peers if peer.name == "protogpu"), None)
    rows = []
    for peer in peers:
        low, median, high = statistics.quantiles(peer.times_ms, n=4)
        ratio = statistics.median(t / b for t, b in zip(peer.times_ms, base)) if base else None
        rows.append({"peer": peer.name, "version": peer.version, "device": peer.device, "median_ms": median, "quartiles_ms": [low, high],
                     "ratio": ratio, "errors": peer.errors, "steps_a_turn": peer.steps, "times_ms": peer.times_ms})  # fmt: skip
    print(f"{args.network}, batch of {args.batch}, {args.rounds} rounds\n")
    print("| peer | version | device | ms a step, median (quartiles) | peer / protogpu | off: logits, gradient |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        low, high = row["quartiles_ms"]
        ratio = f"{row['ratio']:.2f}" if row["ratio"] else "?"
        errors = f"{row['errors']['logits']:.0e}, {row['errors']['gradient']:.0e}"
        times = f"{row['median_ms']:.4g} ({low:.4g} to {high:.4g})"
        print(f"| {row['peer']} | {row['version']} | {row['device']} | {times} | {ratio} | {errors} |")
    for name, reason in skipped.items():
        print(f"| {name} | | | | | skipped: {reason} |")
    if args.json:
        content = {"network": args.network, "batch": args.batch, "weights": str(args.weights or "generated"), "rows": rows, "skipped": skipped}
        args.json.write_text(json.dumps(content, indent=1) + "\n")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
