"""Time of a coefficient sweep: this project's, against one written as the paper's authors evaluate.

    python benchmarks/sweep.py [--models A B] [--texts FILE] [--examples N] [--steps N] [--batch-size N]
        [--threads N]

Both fuse the same two classifiers at alpha = 0, 1/steps, ..., 1 and predict the same texts, for the two biased
data sets, whose test sets hold the same examples. The plain way does so one data set after the other: it
fuses the state dicts, loads them into the model, tokenises anew with padding to 512 tokens and evaluates
batches of 8 in file order. The project's way tokenises once, batches by length and evaluates each example once.

By default two random BERT classifiers of MiniLM's size and texts as long as tweets are made in a temporary
folder. Seconds are the median of three runs for the project's way, and of one for the plain one. Exit status 1
if any prediction differs. Reading the checkpoints is timed in both, Python's imports are not.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
)
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuse_to_forget.coefficients import simplex_grid
from fuse_to_forget.parquet import read_table
from fuse_to_forget.prediction.classifier import load_tokenizer, tokenize
from fuse_to_forget.prediction.sweep import sweep_logits

DATA_SETS = 2
REPEATS = 3  # of the project's way, which is short; the plain way runs once
MAX_LENGTH = 512
PLAIN_BATCH_SIZE = 8
VOCABULARY_SIZE = 30522
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def plain_sweep(
    folders: Sequence[Path], coefficients: Sequence[Sequence[float]], texts: Sequence[str]
) -> np.ndarray:
    """The logits of the last data set, shape (coefficients, texts, labels), computed for each data set alike."""
    tokenizer = AutoTokenizer.from_pretrained(folders[0])
    model = AutoModelForSequenceClassification.from_pretrained(folders[0]).eval()
    first, second = (
        AutoModelForSequenceClassification.from_pretrained(folder).state_dict() for folder in folders
    )
    for _ in range(DATA_SETS):
        logits = []
        for a, b in coefficients:
            model.load_state_dict({name: a * first[name] + b * second[name] for name in first})
            encoded = tokenizer(
                list(texts), padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
            )
            with torch.no_grad():
                batches = [
                    model(
                        **{name: values[start : start + PLAIN_BATCH_SIZE] for name, values in encoded.items()}
                    )
                    for start in range(0, len(texts), PLAIN_BATCH_SIZE)
                ]
            logits.append(torch.cat([batch.logits for batch in batches]).numpy())
    return np.stack(logits)


def project_sweep(
    folders: Sequence[Path], coefficients: Sequence[Sequence[float]], texts: Sequence[str], batch_size: int
) -> np.ndarray:
    """The same logits by the library, which `sweep` calls in this way; the data sets share their examples."""
    token_ids = tokenize(load_tokenizer(folders[0]), texts, MAX_LENGTH)
    return sweep_logits(folders, coefficients, token_ids, batch_size)


def make_texts(count: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Return `count` texts of 12 to 40 words and the words that they are drawn from, all by `seed`."""
    rng = random.Random(seed)
    words = sorted({"".join(rng.choices(LETTERS, k=rng.randint(3, 9))) for _ in range(5000)})
    return [" ".join(rng.choices(words, k=rng.randint(12, 40))) for _ in range(count)], words


def make_classifier(folder: Path, words: Sequence[str], seed: int) -> Path:
    """Save a random BERT classifier of MiniLM's size, its weights so large that texts and models differ."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{x}" for x in LETTERS), *words]
    tokens += [f"[unused{i}]" for i in range(VOCABULARY_SIZE - len(tokens))]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.08,
        num_labels=2,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab=vocabulary, model_max_length=MAX_LENGTH).save_pretrained(folder)
    return folder


def timed(run: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Seconds and processor seconds (of all threads) that `run` takes, and what it returns."""
    start, start_cpu = time.perf_counter(), time.process_time()
    logits = run()
    return time.perf_counter() - start, time.process_time() - start_cpu, logits


def compare(folders: Sequence[Path], texts: Sequence[str], steps: int, batch_size: int) -> int:
    """Time both ways, print the table, and return the number of predictions that differ."""
    coefficients = simplex_grid(2, steps)
    plain_sweep(folders, coefficients[:1], texts[:1])  # what runs first pays for the libraries' start
    project_sweep(folders, coefficients[:1], texts[:1], batch_size)
    runs = [timed(lambda: project_sweep(folders, coefficients, texts, batch_size)) for _ in range(REPEATS)]
    plain, plain_cpu, plain_logits = timed(lambda: plain_sweep(folders, coefficients, texts))
    ours, ours_cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
    ours_logits = runs[0][2]
    different = int((ours_logits.argmax(-1) != plain_logits.argmax(-1)).sum())
    ones = plain_logits.argmax(-1).mean(-1)
    predictions = plain_logits[..., 0].size
    print(f"{len(texts)} examples, {DATA_SETS} data sets, {len(coefficients)} coefficients, ", end="")
    print(f"{torch.get_num_threads()} threads")
    print(f"{'':16}{'seconds':>10}{'ratio':>8}{'processor s':>14}{'ratio':>8}")
    print(f"{'plain':16}{plain:10.2f}{plain / ours:8.1f}{plain_cpu:14.2f}{plain_cpu / ours_cpu:8.1f}")
    print(f"{'fuse_to_forget':16}{ours:10.2f}{1:8.1f}{ours_cpu:14.2f}{1:8.1f}")
    print(f"different predictions: {different} of {predictions}; share of label 1: ", end="")
    print(" ".join(f"{share:.2f}" for share in ones))
    print(f"largest difference of a logit: {np.abs(ours_logits - plain_logits).max():.1e}")
    print(f"smallest margin between the two logits: {np.abs(np.diff(plain_logits)).min():.1e}")
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs=2, type=Path, metavar="FOLDER", help="two classifiers of one base")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="prepared parquet with a column `text`")
    parser.add_argument("--examples", type=int, default=160, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=2, help="alphas less one (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=int, default=64, help="of the project's way (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    texts, words = make_texts(options.examples)
    if options.texts:
        texts = read_table(options.texts)[0]["text"].head(options.examples).tolist()
    with tempfile.TemporaryDirectory() as folder:
        models = options.models or [make_classifier(Path(folder) / str(i), words, seed=i) for i in (1, 2)]
        return int(compare(models, texts, options.steps, options.batch_size) > 0)


if __name__ == "__main__":
    sys.exit(main())
