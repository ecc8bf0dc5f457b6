"""The command line: `python -m fuse_to_forget` with the commands `fuse`, `statistics` and `cost`."""

import argparse
import logging
import re
import sys
from collections.abc import Sequence

from fuse_to_forget.errors import InputError

UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 2**10,
    "MI": 2**20,
    "GI": 2**30,
    "TI": 2**40,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 for input that cannot be used, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuse_to_forget")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fuse = commands.add_parser("fuse", help="fuse the weights of models into a new one")
    fuse.set_defaults(run=_fuse)
    fuse.add_argument("models", nargs="+", metavar="MODEL", help="checkpoint folder in Hugging Face's layout")
    fuse.add_argument("--output", required=True, metavar="DIR", help="new folder for the fused model")
    fuse.add_argument(
        "--coefficients", nargs="+", type=float, metavar="C", help="one for each model (default: equal ones)"
    )
    fuse.add_argument(
        "--max-shard-size",
        type=parse_size,
        default="5GB",
        metavar="SIZE",
        help="largest weights file, such as 500MB or 2GiB (default: %(default)s)",
    )
    _add_method(fuse)
    fuse.add_argument("--any-sum", action="store_true", help="accept coefficients that do not sum to 1")
    fuse.add_argument("--no-progress", action="store_true", help="show no progress bar")
    _add_statistics(commands)
    _add_cost(commands)
    return parser


def _add_method(fuse: argparse.ArgumentParser) -> None:
    fuse.add_argument("--method", metavar="NAME", default="weighted_average", help="default: %(default)s")
    fuse.add_argument(
        "--base",
        metavar="DIR",
        help="folder of the model that all were fine-tuned from, where the method needs it",
    )
    fuse.add_argument(
        "--statistics",
        nargs="+",
        metavar="FILE",
        help="one for each model, in their order, where the method needs it; the command `statistics` makes them",
    )
    fuse.add_argument(
        "--set",
        nargs="+",
        type=parse_setting,
        default=[],
        metavar="NAME=VALUE",
        help="settings of the method",
    )
    fuse.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of a random method (default: %(default)s)"
    )


def _add_statistics(commands: argparse._SubParsersAction) -> None:
    collect = commands.add_parser(
        "statistics",
        help="collect what regmean and fisher want to know of a model, from data that stay where they are",
    )
    collect.set_defaults(run=_statistics)
    add = collect.add_argument
    add("model", metavar="MODEL", help="checkpoint folder of a text classifier or a causal language model")
    add(
        "--data",
        required=True,
        metavar="FILE",
        help="texts: .csv, .tsv, .jsonl, .parquet, or .txt for language models",
    )
    add("--column", default="text", metavar="NAME", help="of the texts (default: %(default)s)")
    add(
        "--label-column",
        metavar="NAME",
        help="for fisher of a classifier: take gold labels, not the model's own",
    )
    add("--kind", required=True, choices=["gram", "fisher"], help="gram for regmean, fisher for fisher")
    add("--output", required=True, metavar="FILE", help="safetensors file to write")
    add("--examples", type=parse_count, metavar="N", help="draw so many (default: all)")
    add("--batch-size", type=parse_count, default=16, metavar="N", help="default: %(default)s")
    add(
        "--max-length",
        type=parse_count,
        metavar="N",
        help="tokens (default: the model's context, at most 512)",
    )
    add("--seed", type=int, default=0, metavar="N", help="draws the examples (default: %(default)s)")


def _add_cost(commands: argparse._SubParsersAction) -> None:
    cost = commands.add_parser("cost", help="estimate the time, memory and disk that a config needs")
    cost.set_defaults(run=_cost)
    cost.add_argument(
        "targets", nargs="*", metavar="TARGET", help="as for snakemake (default: all there are data for)"
    )
    cost.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    cost.add_argument(
        "--throughput", metavar="FILE", help="what benchmarks/throughput.py measured on your machine"
    )
    cost.add_argument(
        "--assume-tflops", nargs=2, type=float, metavar=("TRAINING", "PREDICTION"),
        help="sustained TFLOP/s of a GPU that is not at hand, for one more column",
    )  # fmt: skip


def parse_setting(text: str) -> tuple[str, str]:
    """Parse name=value into its two sides."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a setting: write it like density=0.2")
    return name, value


def parse_count(text: str) -> int:
    """Parse a whole number above 0."""
    if not re.fullmatch(r"0*[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def parse_size(text: str) -> int:
    """Parse a size in bytes: 5GB is 5 * 10^9, 5GiB is 5 * 2^30, a bare number counts bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?", text.strip().upper())
    size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write it like 500MB, 5GB or 2GiB")
    return size


def _fuse(options: argparse.Namespace) -> None:
    from fuse_to_forget.fusion.fuse import fuse  # imports torch, which takes seconds

    output = fuse(
        options.models,
        options.output,
        options.coefficients,
        method=options.method,
        base=options.base,
        statistics=options.statistics,
        settings=dict(options.set),
        seed=options.seed,
        max_shard_bytes=options.max_shard_size,
        allow_any_sum=options.any_sum,
        progress=not options.no_progress,
    )
    print(output)


def _statistics(options: argparse.Namespace) -> None:
    from fuse_to_forget.statistics.of_file import statistics_of_file  # imports torch, which takes seconds
    from fuse_to_forget.statistics.store import write_statistics

    _show_progress()
    statistics = statistics_of_file(
        options.model,
        options.data,
        options.kind,
        text_column=options.column,
        label_column=options.label_column,
        examples=options.examples,
        batch_size=options.batch_size,
        max_length=options.max_length,
        seed=options.seed,
    )
    write_statistics(statistics, options.output)
    print(options.output)


def _show_progress() -> None:
    logger = logging.getLogger("fuse_to_forget")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())


def _cost(options: argparse.Namespace) -> None:
    from fuse_to_forget.cost.report import cost_report  # imports pandas

    assumed = options.assume_tflops
    print(cost_report(options.targets, options.configfile, options.throughput, assumed))


if __name__ == "__main__":
    sys.exit(main())
