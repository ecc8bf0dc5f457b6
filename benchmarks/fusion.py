"""Time and memory of fusing three models of a billion parameters, against mergekit and a plain copy.

    python benchmarks/fusion.py [--mergekit-python PATH] [--repeats N] [--folder DIR]

Three random bfloat16 checkpoints in Llama's layout are written to a temporary folder (about 7 GB, and
2 GB for each result). Each contestant runs in a process of its own, in turn, so that all meet the same
machine; the work alone is timed, without Python's start and imports. Peak memory is that of the process.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MODELS = 3
HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY = 2048, 16, 6144, 32000
BLOCK = 16 << 20  # bytes of random weights that are repeated
COPY_BLOCK = 256 << 10  # bytes; larger writes were slower


def make_checkpoint(folder: Path, seed: int) -> None:
    """Write a Llama checkpoint of random bfloat16 weights: one random block, repeated."""
    import numpy as np

    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        shapes |= {f"{prefix}self_attn.{p}_proj.weight": (HIDDEN, HIDDEN) for p in "qkvo"}
        shapes |= {f"{prefix}mlp.{p}_proj.weight": (INTERMEDIATE, HIDDEN) for p in ("gate", "up")}
        shapes[f"{prefix}mlp.down_proj.weight"] = (HIDDEN, INTERMEDIATE)
        shapes |= {f"{prefix}{n}_layernorm.weight": (HIDDEN,) for n in ("input", "post_attention")}
    shapes |= {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    values = np.random.default_rng(seed).normal(0, 0.02, BLOCK // 2).astype("float32")
    block = (values.view("uint32") >> 16).astype("uint16").tobytes()  # bfloat16 is float32's upper half
    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for begin in range(0, end, BLOCK):
            stream.write(block[: end - begin])
    (folder / "config.json").write_text(json.dumps(llama_config()))


def llama_config() -> dict[str, object]:
    """The config.json that belongs to the tensors of `make_checkpoint`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "intermediate_size": INTERMEDIATE,
        "vocab_size": VOCABULARY,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def run_fuse(models: list[Path], output: Path) -> Callable[[], object]:
    """Our own streaming average, to one file."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fuse_to_forget.fusion.fuse import fuse

    return lambda: fuse(models, output)


def run_mergekit(models: list[Path], output: Path) -> Callable[[], object]:
    """mergekit's linear merge with its options for little memory."""
    import yaml
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    config = {
        "merge_method": "linear",
        "dtype": "bfloat16",
        "models": [{"model": str(model), "parameters": {"weight": 1.0}} for model in models],
    }
    parsed = MergeConfiguration.model_validate(yaml.safe_load(yaml.safe_dump(config)))
    options = MergeOptions(copy_tokenizer=False, lazy_unpickle=True, low_cpu_memory=True, quiet=True)
    return lambda: run_merge(parsed, str(output), options=options)


def run_copy(models: list[Path], output: Path) -> Callable[[], object]:
    """Read every file and write one of them: the bytes that any streaming average must move."""

    def copy() -> None:
        output.mkdir()
        buffer = memoryview(bytearray(COPY_BLOCK))
        with (output / "model.safetensors").open("wb", buffering=0) as target:
            files = [(model / "model.safetensors").open("rb", buffering=0) for model in models]
            while counts := [file.readinto(buffer) for file in files]:
                if not counts[-1]:
                    break
                target.write(buffer[: counts[-1]])
            for file in files:
                file.close()

    return copy


CONTESTANTS = {"fuse_to_forget": run_fuse, "mergekit": run_mergekit, "copy": run_copy}


def measure(name: str, folder: Path) -> None:
    """Run one contestant in this process; print its seconds and its peak memory in GiB as JSON."""
    output = folder / f"out-{name}"
    work = CONTESTANTS[name]([folder / f"model{i}" for i in range(MODELS)], output)
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "gib": peak_gib()}))


def peak_gib() -> float:
    """The most memory that this process has held, in GiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory at the moment of the fork
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


def spawn(python: str, name: str, folder: Path) -> dict[str, float]:
    """Run `measure` in a fresh process and remove what it wrote."""
    command = [python, __file__, "--contestant", name, "--folder", str(folder)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder / f"out-{name}", ignore_errors=True)
        os.sync()  # the next contestant should not pay for this one's writes


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Medians over the repeats, and seconds relative to ours."""
    ours = statistics.median(run["seconds"] for run in runs["fuse_to_forget"])
    lines = [f"{'':16}{'seconds':>10}{'(min-max)':>16}{'ratio':>8}{'peak GiB':>10}"]
    for name, results in runs.items():
        seconds = [run["seconds"] for run in results]
        spread = f"({min(seconds):.2f}-{max(seconds):.2f})"
        median, gib = statistics.median(seconds), statistics.median(run["gib"] for run in results)
        lines.append(f"{name:16}{median:10.2f}{spread:>16}{median / ours:8.2f}{gib:10.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mergekit-python", help="a Python that can import mergekit (default: leave it out)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        return measure(options.contestant, options.folder)
    pythons = {"fuse_to_forget": sys.executable, "copy": sys.executable}
    if options.mergekit_python:
        pythons["mergekit"] = options.mergekit_python
    else:
        print("mergekit is left out: give --mergekit-python to compare with it", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        for number in range(MODELS):
            make_checkpoint(folder / f"model{number}", number)
        os.sync()
        runs: dict[str, list[dict[str, float]]] = {contestant: [] for contestant in pythons}
        for _ in range(options.repeats):
            for contestant, python in pythons.items():
                runs[contestant].append(spawn(python, contestant, folder))
        size = (folder / "model0" / "model.safetensors").stat().st_size / 1e9
    print(
        f"{MODELS} models of {size:.2f} GB (bfloat16), {options.repeats} repeats, {os.cpu_count()} processors"
    )
    print(table(runs))
    return None


if __name__ == "__main__":
    main()
