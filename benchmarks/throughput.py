"""Throughput of training and prediction on this machine, for the models of a configuration.

    python benchmarks/throughput.py [--configfile FILE] [--output FILE] [--most-tokens N] [--steps N]
        [--processor-time]

For each study of the config: a model of the base model's shape with random weights, random texts of the study's
length, its batch sizes, the library's own training arguments (bf16 where the device has it) and prediction functions
(float32), and as many threads as the rules ask for. Each is run for some steps after two for warming up, and the
fastest step counts: other work on the machine only ever slows it down. Where a CPU is never free, --processor-time
counts what its threads were given, the mean over threads, in place of the time of day.
Prints and writes a small JSON, which `python -m fuse_to_forget cost --throughput FILE` reads. Downloads nothing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, Trainer, TrainerCallback
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuse_to_forget.cost.counts import text_length
from fuse_to_forget.cost.plan import merged_config
from fuse_to_forget.cost.shapes import Shape, base_shape
from fuse_to_forget.cost.work import CLASSIFY
from fuse_to_forget.objectives import AUTO_MODELS
from fuse_to_forget.prediction.classifier import device, predict_logits
from fuse_to_forget.prediction.likelihood import causal_likelihoods, masked_likelihoods
from fuse_to_forget.training.arguments import training_arguments

STUDIES = ("shortcuts", "biases", "memorization", "masked_memorization")
THREADS = {CLASSIFY: 4, "causal": 1, "masked": 1}  # as the rules ask; no more than there are processors
WARM_UP = 2
IMPORTS = "import fuse_to_forget.training.language_model"


class Clock(TrainerCallback):
    """Takes the time, in seconds, of each training step, or whenever it is asked to."""

    def __init__(self, *, processor_time: bool) -> None:
        self.processor_time = processor_time
        self.times: list[float] = []

    def take(self) -> None:
        """Note the time at which the device has done what it was given."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        processor = time.process_time() / torch.get_num_threads()
        self.times.append(processor if self.processor_time else time.perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called by the Trainer after each step."""
        self.take()

    def fastest(self) -> float:
        """Return the seconds of the fastest step after those for warming up."""
        return float(np.diff(self.times[WARM_UP - 1 :]).min())


def random_model(shape: Shape, objective: str) -> nn.Module:
    """Return a BERT or GPT-2 of this shape with random weights."""
    heads = max(1, shape.width // 64)
    if objective == "causal":
        fields = {
            "n_layer": shape.layers,
            "n_embd": shape.width,
            "n_head": heads,
            "n_inner": shape.feedforward,
        }
        config = AutoConfig.for_model(
            "gpt2", vocab_size=shape.vocabulary, n_positions=shape.positions, **fields
        )
    else:
        config = AutoConfig.for_model(
            "bert",
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=heads,
            intermediate_size=shape.feedforward,
            max_position_embeddings=shape.positions,
        )
    model = AutoModelForSequenceClassification if objective == CLASSIFY else AUTO_MODELS[objective]
    return model.from_config(config)


def train(
    model: nn.Module, ids: np.ndarray, labels: np.ndarray, settings: dict, steps: int, clock: Clock
) -> None:
    """Train for some steps on batches of `ids` (batch, length), with the library's arguments."""
    rows = steps * len(ids)
    data = Dataset.from_dict(
        {
            "input_ids": np.resize(ids, (rows, ids.shape[1])),
            "labels": np.resize(labels, (rows, *labels.shape[1:])),
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = training_arguments(
            scratch, settings | {"epochs": 1, "batch_size": len(ids)}, seed=1, examples=rows
        )
        arguments.eval_strategy = arguments.save_strategy = arguments.logging_strategy = "no"
        data = data.with_format("torch")
        Trainer(model=model, args=arguments, train_dataset=data, callbacks=[clock]).train()


def measure(config: dict[str, Any], study: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the row of one study."""
    objective = config[study].get("objective", CLASSIFY)
    shape, length = base_shape(config, study), round(text_length(config, study))
    threads = min(THREADS[objective], os.cpu_count() or 1)
    torch.set_num_threads(threads)
    model = random_model(shape, objective)
    generator = np.random.default_rng(1)

    def batch(wanted: int) -> np.ndarray:
        size = max(1, min(wanted, options.most_tokens // length))
        return generator.integers(5, shape.vocabulary, (size, length))

    ids = batch(config[study]["training"]["batch_size"])
    labels = np.zeros(len(ids), dtype=int) if objective == CLASSIFY else ids
    steps, training = WARM_UP + options.steps, Clock(processor_time=options.processor_time)
    train(model, ids, labels, config[study]["training"], steps, training)
    read = batch(config[study]["prediction"]["batch_size"])
    model.eval().to(device())
    predict, prediction = predictor(model, objective, read), Clock(processor_time=options.processor_time)
    for _ in range(steps):
        predict()
        prediction.take()
    forward = shape.forward_flop(length, language_model=objective != CLASSIFY)
    tokens = {"training": ids.size / training.fastest(), "prediction": read.size / prediction.fastest()}
    return {
        "study": study,
        "objective": objective,
        "width": shape.width,
        "layers": shape.layers,
        "length": length,
        "training_batch": len(ids),
        "prediction_batch": len(read),
        "threads": threads,
        "training": 3 * forward * tokens["training"],
        "prediction": forward * tokens["prediction"],
        "training_tokens_per_second": tokens["training"],
        "prediction_tokens_per_second": tokens["prediction"],
    }


def predictor(model: nn.Module, objective: str, ids: np.ndarray) -> Callable[[], Any]:
    """Return the library's function that predicts one batch of `ids` (batch, length)."""
    rows, size = ids.tolist(), len(ids)
    if objective == CLASSIFY:
        return lambda: predict_logits(model, rows, size)
    if objective == "causal":
        return lambda: causal_likelihoods(model, rows, size, prefix=1)
    masking = [np.arange(len(row))[None] % 7 == 0 for row in rows]
    return lambda: masked_likelihoods(model, rows, masking, 4, size)


def start_seconds(*, processor_time: bool) -> float:
    """Return the seconds in which Python and the libraries of a training start, the second time."""
    seconds = 0.0
    for _ in range(2):
        before, start = os.times(), time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True, cwd=Path(__file__).parents[1])
        after, seconds = os.times(), time.perf_counter() - start
        if processor_time:
            user, system = after.children_user, after.children_system
            seconds = user - before.children_user + system - before.children_system
    return seconds


def device_name() -> str:
    """Return what the figures were measured on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} CPU cores ({names[0].partition(': ')[2] if names else platform.machine()})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=STUDIES)
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write the JSON, too")
    parser.add_argument(
        "--most-tokens", type=int, default=2**20, metavar="N",
        help="of a batch; for a machine with little memory (default: the config's batches)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=20, help="that are timed (default: %(default)s)")
    parser.add_argument("--processor-time", action="store_true", help="for a CPU that others use too")
    options = parser.parse_args()
    logging.set_verbosity_error()
    config = merged_config(options.configfile)
    result = {
        "device": device_name(),
        "torch": torch.__version__,
        "training_dtype": "bfloat16"
        if torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        else "float32",
        "start_seconds": start_seconds(processor_time=options.processor_time),
        "timed_by": "processor time" if options.processor_time else "wall clock",
        "measured": [measure(config, study, options) for study in options.studies],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
