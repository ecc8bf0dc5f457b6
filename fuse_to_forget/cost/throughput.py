"""Measured operations per second: what turns work into time."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuse_to_forget.errors import InputError

MEASURED_HERE = Path(__file__).with_name("throughput_cpu.json")  # two CPU cores; no GPU has been measured


@dataclass(frozen=True)
class Rate:
    """Operations per second (FLOP/s) of one kind of model, as benchmarks/throughput.py measured them."""

    objective: str  # classify, causal or masked
    width: int
    length: int  # tokens of a text
    training: float
    prediction: float


@dataclass(frozen=True)
class Throughput:
    """What one machine does: its rates, and the seconds in which Python and the libraries start."""

    device: str
    start_seconds: float
    rates: Sequence[Rate]

    def rate(self, objective: str, width: int, length: float) -> Rate:
        """Return the measured rate of the objective whose width, and then whose length, is nearest.

        Raises InputError if the objective was not measured.
        """
        fitting = [rate for rate in self.rates if rate.objective == objective]
        if not fitting:
            raise InputError(
                f"The throughput was not measured for {objective} models; measure again with benchmarks/throughput.py."
            )
        return min(fitting, key=lambda r: (abs(math.log(r.width / width)), abs(math.log(r.length / length))))


def read_throughput(file: str | Path) -> Throughput:
    """Read what benchmarks/throughput.py wrote; raises InputError for anything else."""
    try:
        entry = json.loads(Path(file).read_text(encoding="utf-8"))
        fields = ("objective", "width", "length", "training", "prediction")
        rates = [Rate(*(row[name] for name in fields)) for row in entry["measured"]]
        return Throughput(entry["device"], entry["start_seconds"], rates)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is not what benchmarks/throughput.py writes ({error!r}); give such a file."
        ) from error
