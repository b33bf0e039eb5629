#!/usr/bin/env python3
"""The search for the default settings: makes the prototypes of ten classes with each line of defaults.txt, and prints their table.

    python3 docs/defaults.py WEIGHTS IMAGES OUT [LINE...]

WEIGHTS is a network of ImageNet's classes, IMAGES a folder of natural pictures by class (Imagenette's validation split), OUT where
prototypes and the report go; what is finished there is not made again. LINE names lines of defaults.txt (default: all). Needs
`protogpu` on the path and nothing beyond Python's own library. On a graphics card a line takes seconds, on two cores eight minutes.
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
        subprocess.run([*command, *lines[name].split()], check=True)
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
    print("| line | similarity | top 1 | least probability | options |\n|---|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda row: -sum(one[0] for one in row[1])):
        similarity, count = sum(one[0] for one in row) / len(row), sum(one[2] for one in row)
        print(f"| {name} | {similarity:.3f} | {count}/{len(row)} | {min(one[1] for one in row):.2f} | `{lines[name].strip()}` |")


if __name__ == "__main__":
    main()
