"""Layers of well-known networks: our time beside PyTorch's and ONNX Runtime's, turn by turn.

    python benchmarks/networks.py [--only REGEX] [--threads 1] [--seconds 0.3] [--json FILE]

Sizes are those of the papers named, for one image or one second of sound.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pyconvc._cli import bench
from pyconvc._cli.bench.conv import ConvCase


def square(inputs: int, outputs: int, taps: int, size: int, **numbers) -> dict:
    """A layer of a square image, padded to keep its size or to divide it by the stride."""
    x, w = (1, inputs, size, size), (outputs, inputs, taps, taps)
    return {"x": x, "w": w, "padding": (taps - numbers.get("stride", 1) + 1) // 2, **numbers}


def depthwise(channels: int, taps: int, size: int, stride: int = 1) -> dict:
    """A layer of a square image, padded likewise, each channel by itself."""
    layer = square(channels, channels, taps, size, stride=stride, padding=taps // 2)
    return layer | {"w": (channels, 1, taps, taps), "groups": channels}


def line(inputs: int, outputs: int, taps: int, size: int, **numbers) -> dict:
    """A layer of sound."""
    return {"x": (1, inputs, size), "w": (outputs, inputs, taps), **numbers}


def dilated(channels: int, outputs: int, dilation: int, size: int) -> dict:
    """Two taps so far apart, on samples that come before as well."""
    return line(channels, outputs, 2, size + dilation, dilation=dilation)


# Howard et al. 2019, Searching for MobileNetV3 (arXiv:1905.02244), table 1.
MOBILENET_V3_LARGE = {
    "3x3 stride 2 3-16 @224": square(3, 16, 3, 224, stride=2, padding=1),
    "1x1 16-64 @112": square(16, 64, 1, 112),
    "depthwise 3x3 stride 2 64 @112": depthwise(64, 3, 112, 2),
    "depthwise 5x5 stride 2 72 @56": depthwise(72, 5, 56, 2),
    "depthwise 5x5 120 @28": depthwise(120, 5, 28),
    "1x1 40-240 @28": square(40, 240, 1, 28),
    "depthwise 3x3 480 @14": depthwise(480, 3, 14),
    "1x1 480-112 @14": square(480, 112, 1, 14),
    "depthwise 5x5 960 @7": depthwise(960, 5, 7),
    "1x1 160-960 @7": square(160, 960, 1, 7),
}
# Tan & Le 2019, EfficientNet (arXiv:1905.11946), table 1: B0.
EFFICIENTNET_B0 = {
    "3x3 stride 2 3-32 @224": square(3, 32, 3, 224, stride=2, padding=1),
    "depthwise 3x3 32 @112": depthwise(32, 3, 112),
    "1x1 16-96 @112": square(16, 96, 1, 112),
    "depthwise 3x3 stride 2 96 @112": depthwise(96, 3, 112, 2),
    "depthwise 5x5 240 @28": depthwise(240, 5, 28),
    "depthwise 5x5 672 @14": depthwise(672, 5, 14),
    "depthwise 5x5 1152 @7": depthwise(1152, 5, 7),
    "1x1 192-1152 @7": square(192, 1152, 1, 7),
    "1x1 320-1280 @7": square(320, 1280, 1, 7),
}
# Liu et al. 2022, A ConvNet for the 2020s (arXiv:2201.03545), table 9: T.
CONVNEXT_T = {
    "4x4 stride 4 3-96 @224": square(3, 96, 4, 224, stride=4, padding=0),
    "depthwise 7x7 96 @56": depthwise(96, 7, 56),
    "1x1 96-384 @56": square(96, 384, 1, 56),
    "1x1 384-96 @56": square(384, 96, 1, 56),
    "2x2 stride 2 96-192 @56": square(96, 192, 2, 56, stride=2, padding=0),
    "depthwise 7x7 192 @28": depthwise(192, 7, 28),
    "depthwise 7x7 384 @14": depthwise(384, 7, 14),
    "depthwise 7x7 768 @7": depthwise(768, 7, 7),
    "1x1 768-3072 @7": square(768, 3072, 1, 7),
}
# Szegedy et al. 2016, Rethinking the Inception architecture (arXiv:1512.00567), table 1 and its
# figures 5 to 7.
INCEPTION_V3 = {
    "3x3 stride 2 3-32 @299": square(3, 32, 3, 299, stride=2, padding=0),
    "3x3 32 @149": square(32, 32, 3, 149, padding=0),
    "3x3 32-64 @147": square(32, 64, 3, 147),
    "3x3 80-192 @73": square(80, 192, 3, 73, padding=0),
    "5x5 48-64 @35": square(48, 64, 5, 35),
    "3x3 64-96 @35": square(64, 96, 3, 35),
    "1x7 192 @17": square(192, 192, 1, 17) | {"w": (192, 192, 1, 7), "padding": (0, 3)},
    "7x1 192 @17": square(192, 192, 1, 17) | {"w": (192, 192, 7, 1), "padding": (3, 0)},
    "1x3 384 @8": square(384, 384, 1, 8) | {"w": (384, 384, 1, 3), "padding": (0, 1)},
    "1x1 1280-320 @8": square(1280, 320, 1, 8),
}
# Cicek et al. 2016, 3D U-Net (arXiv:1606.06650), figure 2; the deeper levels.
UNET_3D = {
    "3^3 128-128 @30x30x26": {"x": (1, 128, 26, 30, 30), "w": (128, 128, 3, 3, 3)},
    "3^3 256 @13x13x11": {"x": (1, 256, 11, 13, 13), "w": (256, 256, 3, 3, 3)},
    "3^3 256-512 @11x11x9": {"x": (1, 256, 9, 11, 11), "w": (512, 256, 3, 3, 3)},
    "transposed 2^3 512 @9x9x7": {
        "x": (1, 512, 7, 9, 9),
        "w": (512, 512, 2, 2, 2),
        "stride": 2,
        "op": "transposed",
    },
    "1^3 64-3 @40x40x24": {"x": (1, 64, 24, 40, 40), "w": (3, 64, 1, 1, 1)},
}
# Radford et al. 2022, Whisper (arXiv:2212.04356), section 2.2 and table 1: base, small; 30 seconds.
WHISPER = {
    "3 80-512 @3000": line(80, 512, 3, 3000, padding=1),
    "3 stride 2 512 @3000": line(512, 512, 3, 3000, padding=1, stride=2),
    "3 80-768 @3000": line(80, 768, 3, 3000, padding=1),
    "3 stride 2 768 @3000": line(768, 768, 3, 3000, padding=1, stride=2),
}
# van den Oord et al. 2016, WaveNet (arXiv:1609.03499), with the channels of Arik et al. 2017, Deep
# Voice (arXiv:1702.07825): 64 in residuals, twice that before the gates, 256 in skips.
WAVENET = {
    "2 64-128 dilation 1 @16000": dilated(64, 128, 1, 16000),
    "2 64-128 dilation 32 @16000": dilated(64, 128, 32, 16000),
    "2 64-128 dilation 512 @16000": dilated(64, 128, 512, 16000),
    "1 64 @16000": line(64, 64, 1, 16000),
    "1 64-256 @16000": line(64, 256, 1, 16000),
}
# Defossez et al. 2022, EnCodec (arXiv:2210.13438), section 3.1: 24 kHz.
ENCODEC = {
    "7 1-32 @24000": line(1, 32, 7, 24000, padding=3),
    "3 32-16 @24000": line(32, 16, 3, 24000, padding=1),
    "4 stride 2 32-64 @24000": line(32, 64, 4, 24000, padding=1, stride=2),
    "8 stride 4 64-128 @12000": line(64, 128, 8, 12000, padding=2, stride=4),
    "16 stride 8 256-512 @600": line(256, 512, 16, 600, padding=4, stride=8),
    "7 512-128 @75": line(512, 128, 7, 75, padding=3),
    "transposed 16 stride 8 512-256 @75": line(
        512, 512, 16, 75, padding=4, stride=8, op="transposed", w=(512, 256, 16)
    ),
    "transposed 4 stride 2 64-32 @12000": line(
        64, 64, 4, 12000, padding=1, stride=2, op="transposed", w=(64, 32, 4)
    ),
}
# Gulati et al. 2020, Conformer (arXiv:2005.08100), table 1: M, L; 10 seconds before subsampling.
CONFORMER = {
    "depthwise 32 256 @1000": line(256, 1, 32, 1000, padding=16, groups=256, w=(256, 1, 32)),
    "depthwise 32 512 @250": line(512, 1, 32, 250, padding=16, groups=512, w=(512, 1, 32)),
}
# Gu & Dao 2023, Mamba (arXiv:2312.00752), section 3.4: 130 million parameters, 256 tokens.
MAMBA = {"depthwise 4 1536 @256": line(1536, 1, 4, 256, padding=3, groups=1536, w=(1536, 1, 4))}
NETWORKS = {
    "MobileNetV3": MOBILENET_V3_LARGE,
    "EfficientNet": EFFICIENTNET_B0,
    "ConvNeXt": CONVNEXT_T,
    "Inception": INCEPTION_V3,
    "U-Net 3-D": UNET_3D,
    "Whisper": WHISPER,
    "WaveNet": WAVENET,
    "EnCodec": ENCODEC,
    "Conformer": CONFORMER,
    "Mamba": MAMBA,
}


def cases() -> tuple[ConvCase, ...]:
    """A benchmark case for each layer."""
    return tuple(
        ConvCase(f"{network} {name}", **layer)
        for network, layers in NETWORKS.items()
        for name, layer in layers.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.3, help="spent on a row, about")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    chosen = bench.matching(cases(), options.only)
    bench.report(chosen, tuple(bench.PEERS), options)


if __name__ == "__main__":
    main()
