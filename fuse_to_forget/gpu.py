"""Whether this machine has a GPU, found out without importing torch, which takes seconds."""

import sys
from pathlib import Path

DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, and any under WSL


def has_gpu() -> bool:
    """Return whether this machine has a GPU that torch may use."""
    return sys.platform == "darwin" or any(Path(device).exists() for device in DEVICES)
