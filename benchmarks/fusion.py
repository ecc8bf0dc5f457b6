"""Time and memory of fusing models of a billion parameters with every method, against mergekit and a plain copy.

    python benchmarks/fusion.py [--methods A B ...] [--mergekit-python PATH] [--mergekit-dtype DTYPE]
        [--repeats N] [--layers N] [--folder DIR]

Random bfloat16 checkpoints in Llama's layout, three models and their base, are written to a temporary folder. On
disk they take 8.6 GB, each result 2.1 GB while it is there, and the statistics of three models 13 GB while methods
that need these are at work; a trial with `--layers 1` takes a quarter of that or less.

Methods stand at their defaults, mergekit at the settings that mean the same, three models at equal coefficients
(SLERP: two). RegMean++ holds the models in memory and has them read 16 tokens each. mergekit accumulates in float32,
as this project does, unless `--mergekit-dtype bfloat16` lets it do so in what the models are stored in. Each
contestant runs in a process of its own, in turn, so that all meet the same machine; the work alone is timed, without
Python's start and imports: on the clock, and of all processors together, which other jobs beside change less. Peak
memory is that of the process, the files that it has mapped included; "own" is without these, looked at often rather
than always.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fusion_models

sys.path.insert(0, str(Path(__file__).parents[1]))

MODELS = 3
COPY = "plain copy"
OURS, THEIRS = "fuse_to_forget", "mergekit"
TEXTS = [[[*range(8)], [*range(10, 18)]]] * MODELS  # token ids that RegMean++ reads
COPY_BLOCK = 256 << 10  # bytes; larger writes were slower
LOOK = 0.02  # seconds between two looks at a process
# method -> mergekit's, its parameters for all models and for each that mean our defaults
MERGEKIT: dict[str, tuple[str, dict[str, float], dict[str, float]]] = {
    "weighted_average": ("linear", {}, {}),
    "slerp": ("slerp", {"t": 0.5}, {}),
    "karcher": ("karcher", {"max_iter": 20, "tol": 1e-6}, {}),
    "task_arithmetic": ("task_arithmetic", {}, {}),
    "ties": ("ties", {}, {"density": 0.2}),
    "dare_linear": ("dare_linear", {}, {"density": 0.5}),
    "dare_ties": ("dare_ties", {}, {"density": 0.5}),
    "breadcrumbs": ("breadcrumbs", {}, {"density": 0.14, "gamma": 0.01}),
    "della": ("della", {}, {"density": 0.5, "epsilon": 0.15}),
    "model_stock": ("model_stock", {}, {}),
}
UNWEIGHTED = ("slerp", "karcher", "model_stock")


@dataclass(frozen=True)
class Task:
    """What one contestant fuses, and where: what a process of its own is told."""

    contestant: str
    method: str
    dtype: str  # that mergekit accumulates in
    folder: Path

    def models(self) -> list[Path]:
        return [
            self.folder / f"model{number}"
            for number in range(1, (2 if self.method == "slerp" else MODELS) + 1)
        ]

    def base(self) -> Path:
        return self.folder / "model0"

    def output(self) -> Path:
        return self.folder / "output"


def run_fuse(task: Task) -> Callable[[], object]:
    """Our own fusion, to one file."""
    from fuse_to_forget.fusion.catalog import METHODS
    from fuse_to_forget.fusion.fuse import fuse

    method = METHODS[task.method]
    if method.needs_texts:
        return run_with_texts(task)
    base = task.base() if method.needs_base else None
    files = [task.folder / f"{model.name}.{method.statistics}" for model in task.models()]
    known = files if method.statistics else None
    return lambda: fuse(task.models(), task.output(), method=task.method, base=base, statistics=known)


def run_with_texts(task: Task) -> Callable[[], object]:
    """RegMean++: whole models in memory, in bfloat16, and one that reads."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    from fuse_to_forget.fusion.checkpoint import load_state_dict
    from fuse_to_forget.fusion.regmean_plus_plus import regmean_plus_plus

    def work() -> None:
        model = AutoModelForCausalLM.from_pretrained(task.models()[0], dtype=torch.bfloat16)
        merged = regmean_plus_plus(model, [load_state_dict(folder) for folder in task.models()], TEXTS)
        task.output().mkdir()
        save_file(merged, task.output() / "model.safetensors")

    return work


def run_mergekit(task: Task) -> Callable[[], object]:
    """mergekit's merge with its options for little memory."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    name, shared, own = MERGEKIT[task.method]
    weight = {} if name in UNWEIGHTED else {"weight": 1 / MODELS}
    bases = {"linear": {}, "karcher": {}, "slerp": {"base_model": str(task.models()[0])}}
    config = {
        "merge_method": name,
        "models": [{"model": str(model), "parameters": own | weight} for model in task.models()],
        "parameters": shared,
        "dtype": task.dtype,
        "out_dtype": "bfloat16",
    } | bases.get(name, {"base_model": str(task.base())})
    options = MergeOptions(copy_tokenizer=False, lazy_unpickle=True, low_cpu_memory=True, quiet=True)
    return lambda: run_merge(MergeConfiguration.model_validate(config), str(task.output()), options=options)


def run_copy(task: Task) -> Callable[[], object]:
    """Read every file and write one of them: the bytes that any streaming average must move."""

    def copy() -> None:
        task.output().mkdir()
        buffer = memoryview(bytearray(COPY_BLOCK))
        with (task.output() / "model.safetensors").open("wb", buffering=0) as target:
            files = [(model / "model.safetensors").open("rb", buffering=0) for model in task.models()]
            while counts := [file.readinto(buffer) for file in files]:
                if not counts[-1]:
                    break
                target.write(buffer[: counts[-1]])
            for file in files:
                file.close()

    return copy


CONTESTANTS = {OURS: run_fuse, THEIRS: run_mergekit, COPY: run_copy}


def measure(task: Task) -> None:
    """Run one contestant in this process; print its seconds and its peak memory as JSON."""
    work = CONTESTANTS[task.contestant](task)
    begin, begin_busy = time.perf_counter(), time.process_time()
    work()
    seconds, busy = time.perf_counter() - begin, time.process_time() - begin_busy
    print(json.dumps({"seconds": seconds, "busy": busy, "gib": gib_of(os.getpid(), "VmHWM")}))


def gib_of(process: int, field: str) -> float:
    """A field of what Linux tells of a process's memory, in GiB; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(found[0]) / 2**20 if found else 0.0


def spawn(python: str, task: Task) -> dict[str, float]:
    """Run `measure` in a fresh process and remove what it wrote."""
    command = [python, __file__, "--task", task.contestant, task.method, task.dtype, str(task.folder)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    own = 0.0
    try:
        with (task.folder / "said").open("w+") as said, (task.folder / "errors").open("w+") as errors:
            process = subprocess.Popen(command, stdout=said, stderr=errors, env=environment)
            while process.poll() is None:
                own = max(own, gib_of(process.pid, "RssAnon"))
                time.sleep(LOOK)
            said.seek(0), errors.seek(0)
            if process.returncode:
                raise SystemExit(f"{task.contestant}, {task.method} failed:\n{errors.read()[-2000:]}")
            return json.loads(said.read().splitlines()[-1]) | {"own": own}
    finally:
        shutil.rmtree(task.output(), ignore_errors=True)
        os.sync()  # the next contestant should not pay for this one's writes


@contextmanager
def statistics_of(folder: Path, kind: str | None, layers: int) -> Iterator[None]:
    """Have statistics of a kind beside the models, as long as they are needed."""
    numbers = range(1, MODELS + 1) if kind else []
    files = {number: folder / f"model{number}.{kind}" for number in numbers}
    for number, file in files.items():
        fusion_models.make_statistics(kind, folder / f"model{number}", file, layers, number)
    os.sync()
    try:
        yield
    finally:
        for file in files.values():
            file.unlink()


def cells(results: Sequence[dict[str, float]]) -> list[str]:
    """What a table says of one contestant: medians of its seconds with their range, the most memory."""
    if not results:
        return [""] * 4
    seconds = [result["seconds"] for result in results]
    spread = f" ({min(seconds):.1f}-{max(seconds):.1f})" if len(results) > 1 else ""
    gib, own = (max(result[key] for result in results) for key in ("gib", "own"))
    busy = median(results, "busy")
    return [f"{median(results, 'seconds'):.1f}{spread}", f"{busy:.1f}", f"{gib:.2f}", f"{own:.2f}"]


def median(results: Sequence[dict[str, float]], key: str) -> float:
    """The median of one figure over the repeats."""
    return statistics.median(result[key] for result in results)


def row(method: str, ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]) -> str:
    """A row of the table, in Markdown; the ratios are mergekit's medians over ours."""
    keys = ("seconds", "busy")
    ratios = [f"{median(theirs, key) / median(ours, key):.1f}" if theirs else "" for key in keys]
    return f"| {' | '.join([method, *cells(ours), *cells(theirs), *ratios])} |"


def print_head(folder: Path, options: argparse.Namespace) -> None:
    """Print what is compared, and the head of the table."""
    size = (folder / "model0" / "model.safetensors").stat().st_size / 1e9
    print(
        f"{MODELS} models of {size:.2f} GB, {os.cpu_count()} processors, repeats: {options.repeats}.", end=" "
    )
    print(f"mergekit accumulates in {options.mergekit_dtype}.\n")
    columns = ["seconds", "processor seconds", "peak GiB", "own GiB"]
    ratios = ["ratio of seconds", "of processor seconds"]
    print(f"| {' | '.join(['method', *columns, *(f'mergekit: {c}' for c in columns), *ratios])} |")
    print("|---|" + "---:|" * 10, flush=True)


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Make the models, run all contestants and print the table row by row."""
    from fuse_to_forget.fusion.catalog import METHODS

    for number in range(MODELS + 1):
        fusion_models.make_checkpoint(folder / f"model{number}", options.layers, number)
    os.sync()
    print_head(folder, options)

    def run(contestant: str, method: str) -> dict[str, float]:
        python = options.mergekit_python if contestant == THEIRS else sys.executable
        return spawn(python, Task(contestant, method, options.mergekit_dtype, folder))

    print(row(COPY, [run(COPY, "weighted_average") for _ in range(options.repeats)], []), flush=True)
    for kind in (None, "gram", "fisher"):
        methods = [method for method in options.methods if METHODS[method].statistics == kind]
        with statistics_of(folder, kind if methods else None, options.layers):
            for method in methods:
                runs: dict[str, list[dict[str, float]]] = {OURS: [], THEIRS: []}
                for _ in range(options.repeats):
                    runs[OURS].append(run(OURS, method))
                    if options.mergekit_python and method in MERGEKIT:
                        runs[THEIRS].append(run(THEIRS, method))
                print(row(method, runs[OURS], runs[THEIRS]), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--task"]:
        contestant, method, dtype, folder = sys.argv[2:]
        return measure(Task(contestant, method, dtype, Path(folder)))
    from fuse_to_forget.fusion.catalog import METHODS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--mergekit-python", help="a Python that can import mergekit (default: leave it out)")
    parser.add_argument("--mergekit-dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", type=int, default=fusion_models.LAYERS, help="fewer for a quick trial")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    if not options.mergekit_python:
        print("mergekit is left out: give --mergekit-python to compare with it", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        compare(options, Path(name))
    return None


if __name__ == "__main__":
    main()
