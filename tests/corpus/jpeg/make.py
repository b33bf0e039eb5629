#!/usr/bin/env python3
"""Makes tests/corpus/jpeg: small JPEG files of every common kind, beside the pixels that Pillow reads from them (libjpeg-turbo).

    python tests/corpus/jpeg/make.py      # needs numpy and pillow

`NAME.jpg` is a file and `NAME.png` is Pillow's `convert("RGB")` of it.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent


def picture(height, width, channels, seed):
    """Strong colours with edges and noise: what decoders differ in."""
    rng = np.random.default_rng(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    waves = 128 + 127 * np.sin(0.8 * x + 2.1 * c) * np.cos(0.5 * y - 1.3 * c)
    edges = np.where((x // 5 + y // 7 + c) % 2 == 0, 60, -60)
    return np.clip(waves + edges + rng.normal(0, 20, waves.shape), 0, 255).astype(np.uint8)


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return bytearray(file.getvalue())


def with_sampling(data, sampling):
    """The same data under another sampling of the luma, with as many blocks a unit. The blocks land elsewhere."""
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = sampling
    return data


def main():
    rgb = Image.fromarray(picture(37, 45, 3, 1))
    square = Image.fromarray(picture(32, 32, 3, 2))
    cmyk = Image.fromarray(picture(37, 45, 4, 3), mode="CMYK")
    files = {
        "444": encoded(rgb, quality=92, subsampling=0),
        "422": encoded(rgb, quality=60, subsampling=1),
        "420": encoded(rgb, quality=75, subsampling=2),
        "420_coarse": encoded(rgb, quality=5, subsampling=2),
        "420_restart": encoded(rgb, quality=75, subsampling=2, restart_marker_blocks=2),
        "444_progressive": encoded(rgb, quality=85, subsampling=0, progressive=True),
        "420_progressive": encoded(rgb, quality=85, subsampling=2, progressive=True),
        "440": with_sampling(encoded(square, quality=85, subsampling=1), 0x12),
        "411": with_sampling(encoded(square, quality=85, subsampling=2), 0x41),
        "rgb": encoded(rgb, quality=85, keep_rgb=True),
        "grey": encoded(rgb.convert("L"), quality=85),
        "grey_progressive": encoded(rgb.convert("L"), quality=85, progressive=True),
        "cmyk": encoded(cmyk, quality=85),
    }
    # The planes are too narrow for a filter.
    files["narrow"] = encoded(rgb.crop((0, 0, 4, 11)), quality=85, subsampling=2)
    files["pixel"] = encoded(rgb.crop((0, 0, 1, 1)), quality=85, subsampling=2)
    # The same data declared as YCCK: Adobe's segment ends with the transform, 0 for CMYK and 2 for YCCK.
    ycck = bytearray(files["cmyk"])
    ycck[ycck.index(b"Adobe") + 11] = 2
    files["ycck"] = ycck
    for name, data in files.items():
        (FOLDER / f"{name}.jpg").write_bytes(data)
        Image.open(io.BytesIO(data)).convert("RGB").save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
