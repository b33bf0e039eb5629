#!/usr/bin/env python3
"""Makes tests/golden/pictures: tiny pictures in every form protogpu reads, beside what Pillow and torchvision make of them.

    python tests/golden/pictures.py      # needs numpy, pillow, torch, torchvision

`NAME.EXT` is a picture, `NAME_EXT.rgb.png` is what Pillow shows of it, upright and on white, as RGB, and `NAME.crop<side>.png` is torchvision's
`Resize(round(side * 256 / 224))` followed by `CenterCrop(side)`. Every PNG that is a result names the versions that made it.
"""

from pathlib import Path

import numpy as np
import PIL
import torchvision
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from torchvision.transforms import CenterCrop, Compose, Resize

SEED = 7
FOLDER = Path(__file__).parent / "pictures"


def picture(height, width, channels, rng):
    """Smooth colours with some noise: compressible, yet no two pixels alike."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    smooth = 128 + 100 * np.sin(0.23 * x + 0.9 * c) * np.cos(0.31 * y - 0.7 * c)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def shown(image):
    """As viewers show it: in the orientation that its Exif data name, and on white where it is transparent."""
    upright = ImageOps.exif_transpose(image)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    rgba = upright.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def save_result(image, path):
    info = PngInfo()
    info.add_text("made-by", f"pictures.py, seed {SEED}, pillow {PIL.__version__}, torchvision {torchvision.__version__}")
    image.save(path, optimize=True, pnginfo=info)


def main():
    rng = np.random.default_rng(SEED)
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()

    rgba = Image.fromarray(picture(13, 19, 4, rng))
    rgb, grey = Image.fromarray(np.array(rgba)[..., :3].copy()), Image.fromarray(np.array(rgba)[..., 0])
    grey_alpha = Image.merge("LA", (grey, rgba.getchannel("A")))
    palette = rgb.quantize(16)
    cmyk = Image.fromarray(picture(13, 19, 4, rng), mode="CMYK")
    bilevel = grey.point(lambda v: 255 * (v > 128)).convert("1")

    rgba.save(FOLDER / "rgba.png", optimize=True)
    grey_alpha.save(FOLDER / "grey_alpha.png", optimize=True)
    palette.save(FOLDER / "palette.png", optimize=True, transparency=3)
    palette.save(FOLDER / "palette.gif", transparency=3)
    bilevel.save(FOLDER / "bilevel.png", optimize=True)
    rgb.save(FOLDER / "rgb.bmp")
    rgb.save(FOLDER / "rgb.tiff", compression="tiff_lzw")
    rgba.save(FOLDER / "rgba_lossless.webp", lossless=True)
    rgb.save(FOLDER / "lossy.webp", quality=90)
    rgb.save(FOLDER / "ycbcr420.jpg", quality=90)
    rgb.save(FOLDER / "progressive444.jpg", quality=90, subsampling=0, progressive=True)
    grey.save(FOLDER / "grey.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees"
    rgb.save(FOLDER / "orientation.jpg", quality=90, exif=exif)
    cmyk.save(FOLDER / "cmyk.jpg", quality=90)
    # The same data declared as YCCK: Adobe's segment ends with the transform, 0 for CMYK and 2 for YCCK.
    data = bytearray((FOLDER / "cmyk.jpg").read_bytes())
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    data[transform] = 2
    (FOLDER / "ycck.jpg").write_bytes(data)
    for path in sorted(FOLDER.iterdir()):
        image = shown(Image.open(path))
        save_result(image, FOLDER / f"{path.stem}_{path.suffix[1:]}.rgb.png")

    for name, (height, width) in {"wide": (43, 61), "tall": (77, 31)}.items():
        image = Image.fromarray(picture(height, width, 3, rng))
        image.save(FOLDER / f"{name}.png", optimize=True)
        for side in (24, 32, 56):
            crop = Compose([Resize(round(side * 256 / 224)), CenterCrop(side)])(image)
            save_result(crop, FOLDER / f"{name}.crop{side}.png")


if __name__ == "__main__":
    main()
