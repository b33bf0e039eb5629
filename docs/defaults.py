#!/usr/bin/env python3
"""The search for the settings of the preset paper: makes prototypes of ten classes with each line of defaults.txt and prints the table.

    python3 docs/defaults.py WEIGHTS IMAGES OUT [LINE...]

WEIGHTS is a network with ImageNet's classes. IMAGES is a folder of natural images by class (Imagenette's validation split). OUT receives
prototypes and report; what is finished there is not made again. LINE selects lines of defaults.txt by name (default: all). Needs
`protogpu` on the path and only Python's standard library. A line takes seconds on a graphics card, eight minutes on two cores.
"""

import json
import subprocess
import sys
from pathlib import Path

CLASSES = "0,217,482,491,497,566,569,571,574,701"


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    weights, images, out = sys.argv[1:4]
    lines = dict(line.split(maxsplit=1) for line in Path(__file__).with_suffix(".txt").read_text().splitlines() if line.strip())
    wanted = sys.argv[4:] or list(lines)
    for name in wanted:
        command = ["protogpu", "run", "--weights", weights, "--class", CLASSES, "--batch", "10", "--out", f"{out}/{name}", "--resume"]
        options = lines[name].split()
        preset = [] if "--preset" in options else ["--preset", "paper"]
        subprocess.run([*command, *preset, *options], check=True)
    command = ["protogpu", "similarity", "--weights", weights, "--images", images, "--out", f"{out}/report", "--force", "--json"]
    folders = [word for name in wanted for word in ("--prototype", f"{out}/{name}")]
    measured = json.loads(subprocess.run([*command, *folders], check=True, stdout=subprocess.PIPE).stdout)
    rows: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in wanted}
    for row in measured["classes"]:
        for one in row["prototypes"]:
            own = [top["probability"] for top in one["top"] if top["index"] == row["index"]]
            rows[Path(one["folder"]).parent.name].append((one["similarity"], (own or [0.0])[0], one["top"][0]["index"] == row["index"]))
    overall = measured["overall"]
    print(f"same class {overall['same']['mean']:.3f}, other classes {overall['different']['mean']:.3f}")
    print("| line | similarity | top 1 | lowest probability | options |\n|---|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda row: -sum(one[0] for one in row[1])):
        similarity, count = sum(one[0] for one in row) / len(row), sum(one[2] for one in row)
        print(f"| {name} | {similarity:.3f} | {count}/{len(row)} | {min(one[1] for one in row):.2f} | `{lines[name].strip()}` |")


if __name__ == "__main__":
    main()
