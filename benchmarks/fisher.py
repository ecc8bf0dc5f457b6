"""Time of empirical Fisher diagonals: this project's, against one backward pass for each example.

    python benchmarks/fisher.py [--model FOLDER] [--examples N] [--groups N] [--batch-size N] [--repeats N]
        [--threads N]

Both compute the diagonals of two classifiers on the same examples, 10 to 40 random token ids each, and their
overlap. The plain way is the paper's (appendix D): batches of one example, backward, squares added up. The
project's way keeps one sum for each of `--groups` groups, from which the intervals come. Only the diagonals are
timed. The first model is FOLDER with a random head, by default the study's encoder if it has been downloaded, else
a random BERT of its shape; the second is a copy with noise on every weight.

Each run is a process of its own, in turn: what a process has freed before decides what the plain way's large
gradients cost it. Exit status 1 if the overlaps differ by more than 1e-5.
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuse_to_forget.fisher.overlap import fisher_overlaps
from fuse_to_forget.fisher.per_example import squared_gradient_sums
from fuse_to_forget.prediction.classifier import device, load_classifier

ENCODER = Path(__file__).parents[1] / "results" / "downloads" / "encoder"
TOLERANCE = 1e-5
NOISE = 0.1  # of a weight's standard deviation
SPECIAL_IDS = 1000  # below them BERT's vocabulary has no words


def plain_diagonal(
    model: PreTrainedModel, token_ids: Sequence[list[int]], labels: Sequence[int]
) -> dict[str, Tensor]:
    """The mean of the squared gradients, one example after the other."""
    fisher = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for ids, label in zip(token_ids, labels, strict=True):
        model.zero_grad()
        output = model(
            input_ids=torch.tensor([ids], device=model.device),
            labels=torch.tensor([label], device=model.device),
        )
        output.loss.backward()
        for name, parameter in model.named_parameters():
            fisher[name] += parameter.grad**2
    model.zero_grad()
    return {name: total.cpu() / len(labels) for name, total in fisher.items()}


def plain_overlap(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Eq. 10 as it stands: 1 less half the squared distance of the diagonals of unit trace."""
    f, g = (torch.cat([x.flatten() for x in fisher.values()]).double() for fisher in (first, second))
    f, g = f / f.sum(), g / g.sum()
    return 1 - 0.5 * (f + g - 2 * (f * g).sqrt()).sum().item()


def make_models(folder: Path | None) -> list[PreTrainedModel]:
    """Two classifiers on the device, in evaluation mode: one of `folder`, or random, and a noisy copy."""
    torch.manual_seed(1)
    if folder:
        first = load_classifier(folder)
    else:
        config = BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
        )
        first = BertForSequenceClassification(config).eval().to(device())
    second = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in second.parameters():
            scale = NOISE * parameter.std(correction=0)
            parameter += scale * torch.randn(parameter.shape).to(parameter.device)
    return [first, second]


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run one contestant in this process: seconds, processor seconds of all threads, and the overlap."""
    models = make_models(options.model)
    rng = torch.Generator().manual_seed(2)
    lengths = torch.randint(10, 41, (options.examples,), generator=rng).tolist()
    words = SPECIAL_IDS, models[0].config.vocab_size
    token_ids = [torch.randint(*words, (length,), generator=rng).tolist() for length in lengths]
    labels = torch.randint(0, 2, (options.examples,), generator=rng).tolist()

    def diagonal(model: PreTrainedModel, examples: int, groups: int) -> dict[str, Tensor]:
        if options.contestant == "plain":
            return plain_diagonal(model, token_ids[:examples], labels[:examples])
        return squared_gradient_sums(
            model, token_ids[:examples], labels[:examples], batch_size=options.batch_size, groups=groups
        )

    diagonal(models[0], 2, 1)  # what runs first pays for the libraries' start
    start, start_cpu = time.perf_counter(), time.process_time()
    first, second = (diagonal(model, options.examples, options.groups) for model in models)
    seconds, processor = time.perf_counter() - start, time.process_time() - start_cpu
    plain = options.contestant == "plain"
    overlap = plain_overlap(first, second) if plain else fisher_overlaps(first, second)["all"].value
    return {"seconds": seconds, "processor": processor, "overlap": overlap}


def spawn(contestant: str, arguments: Sequence[str]) -> dict[str, float]:
    """Run `measure` in a fresh process."""
    command = [sys.executable, __file__, "--contestant", contestant, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        raise SystemExit(f"{contestant} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report(runs: dict[str, list[dict[str, float]]], examples: int) -> float:
    """Print medians over the repeats and their ratios to ours; return how far the overlaps differ."""
    ours, plain = (
        {key: statistics.median(run[key] for run in runs[name]) for key in runs[name][0]}
        for name in ("fuse_to_forget", "plain")
    )
    print(
        f"{'':16}{'seconds':>10}{'(min-max)':>16}{'ratio':>8}{'processor s':>14}{'ratio':>8}{'ms/example':>12}"
    )
    for name, median in (("plain", plain), ("fuse_to_forget", ours)):
        seconds = [run["seconds"] for run in runs[name]]
        print(f"{name:16}{median['seconds']:10.2f}{f'({min(seconds):.2f}-{max(seconds):.2f})':>16}", end="")
        print(f"{median['seconds'] / ours['seconds']:8.2f}{median['processor']:14.2f}", end="")
        print(f"{median['processor'] / ours['processor']:8.2f}{500 * median['seconds'] / examples:12.1f}")
    difference = abs(ours["overlap"] - plain["overlap"])
    print(f"overlap: plain {plain['overlap']:.7f}, fuse_to_forget {ours['overlap']:.7f}, ", end="")
    print(f"difference {difference:.1e}")
    return difference


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a classifier or an encoder")
    parser.add_argument("--examples", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--groups", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--contestant", choices=["plain", "fuse_to_forget"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.model and ENCODER.exists():
        options.model = ENCODER
    if options.threads:
        torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the head is meant to be new
    if options.contestant:
        print(json.dumps(measure(options)))
        return 0
    runs: dict[str, list[dict[str, float]]] = {"plain": [], "fuse_to_forget": []}
    for _ in range(options.repeats):
        for contestant, results in runs.items():
            results.append(spawn(contestant, sys.argv[1:]))
    print(
        f"2 models, {options.examples} examples, {options.groups} groups, {options.repeats} repeats, ", end=""
    )
    print(f"{torch.get_num_threads()} threads, {device()}, {options.model or 'random weights'}")
    return int(report(runs, options.examples) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
