"""Statistics by the command line: collected where the data are, then fused with, from files in bounded memory."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import WORDS, article_frame, demographic_frame, save_pico_bert
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from fuse_to_forget.__main__ import main
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.fusion.merge import merge_state_dicts
from fuse_to_forget.prediction.classifier import load_classifier, load_tokenizer, tokenize
from fuse_to_forget.prediction.likelihood import load_language_model
from fuse_to_forget.statistics.fisher import fisher_statistics, next_tokens
from fuse_to_forget.statistics.grams import gram_statistics
from fuse_to_forget.statistics.store import Statistics, of_model, read_statistics, write_statistics

KINDS = {"regmean": "gram", "fisher": "fisher", "fisher_normalized": "fisher"}


def moved(model: PreTrainedModel) -> PreTrainedModel:
    """The model with every weight moved, also those that start alike in all models."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> list[Path]:
    """Two owners' tables: `sentence` and `topic`, the label's name."""
    folder = tmp_path_factory.mktemp("data")
    files = []
    for seed in range(2):
        frame = demographic_frame(24, seed=seed)
        table = pd.DataFrame({"sentence": frame["text"], "topic": frame["label"].map({0: "dogs", 1: "cats"})})
        files.append(folder / f"owner{seed}.csv")
        table.to_csv(files[-1], index=False)
    return files


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory) -> list[Path]:
    folders = []
    for seed in range(2):
        base = save_pico_bert(tmp_path_factory.mktemp("models") / "model", seed=seed)
        names = {"id2label": {0: "dogs", 1: "cats"}, "label2id": {"dogs": 0, "cats": 1}}
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2, **names)
        moved(model).save_pretrained(base)
        folders.append(base)
    return folders


@pytest.fixture(scope="module")
def language_models(tmp_path_factory) -> list[Path]:
    """GPT-2, whose layers are stored transposed and whose head is tied to the embeddings."""
    folders = []
    for seed in range(2):
        base = save_pico_bert(tmp_path_factory.mktemp("language") / "model")  # for its tokenizer
        torch.manual_seed(seed)
        config = GPT2Config(
            vocab_size=5 + len(WORDS), n_positions=16, n_embd=8, n_layer=2, n_head=2, pad_token_id=0
        )
        moved(GPT2LMHeadModel(config)).save_pretrained(base)
        folders.append(base)
    return folders


def collected(models: list[Path], data: list[Path], kind: str, folder: Path, *options: str) -> list[str]:
    """Run the command for each model and its owner's data; return the files."""
    files = [str(folder / f"{kind}{number}.safetensors") for number in range(len(models))]
    for model, table, file in zip(models, data, files, strict=True):
        asked = ["--data", str(table), "--kind", kind, "--output", file, *options]
        assert main(["statistics", str(model), *asked]) == 0
    return files


def same(first: Statistics, second: Statistics) -> bool:
    return first.tensors.keys() == second.tensors.keys() and all(
        torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items()
    )


def test_a_classifiers_statistics_are_the_librarys(tmp_path, classifiers, data, capsys):
    table = pd.read_csv(data[0])
    model, tokens = (
        load_classifier(classifiers[0]),
        tokenize(load_tokenizer(classifiers[0]), table["sentence"], 64),
    )
    labels = (table["topic"] == "cats").astype(int).tolist()
    column, gold = ["--column", "sentence"], ["--label-column", "topic"]
    (gram,) = collected(classifiers[:1], data[:1], "gram", tmp_path, *column)
    assert capsys.readouterr().out == f"{gram}\n"
    assert same(read_statistics(gram), gram_statistics(model, tokens, batch_size=16))
    (fisher,) = collected(classifiers[:1], data[:1], "fisher", tmp_path, *column, *gold)
    own = fisher_statistics(model, tokens, labels, labels="gold", batch_size=16)
    assert same(read_statistics(fisher), own)
    (expected,) = collected(classifiers[:1], data[:1], "fisher", tmp_path, *column)
    assert read_statistics(expected).settings["labels"] == "expected"
    assert not same(read_statistics(expected), own)


def test_a_language_models_statistics_are_the_librarys(tmp_path, language_models):
    texts = article_frame(6)["text"]
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(texts))
    model, tokenizer = load_language_model(language_models[0], "causal"), load_tokenizer(language_models[0])
    tokens = [ids[i : i + 16] for ids in tokenize(tokenizer, texts, 1000) for i in range(0, len(ids), 16)]
    tokens = [ids for ids in tokens if len(ids) > 1]
    (gram,) = collected(language_models[:1], [file], "gram", tmp_path)
    assert same(read_statistics(gram), gram_statistics(model, tokens, batch_size=16))
    (fisher,) = collected(language_models[:1], [file], "fisher", tmp_path)
    own = fisher_statistics(model, tokens, next_tokens(tokens), labels="gold", batch_size=16)
    assert same(read_statistics(fisher), own)


def test_some_examples_can_be_drawn(tmp_path, classifiers, data):
    options = ["--column", "sentence", "--examples", "5", "--max-length", "8"]
    (file,) = collected(classifiers[:1], data[:1], "gram", tmp_path, *options, "--seed", "1")
    first = read_statistics(file)
    assert (first.examples, first.tokens) == (5, 40)
    (file,) = collected(classifiers[:1], data[:1], "gram", tmp_path, *options, "--seed", "2")
    assert not same(read_statistics(file), first)


@pytest.mark.parametrize("method", KINDS)
@pytest.mark.parametrize("family", ["classifiers", "language_models"])
def test_fused_from_files_as_in_memory(tmp_path, request, data, family, method, capsys):
    models = request.getfixturevalue(family)
    files = collected(models, data, KINDS[method], tmp_path, "--column", "sentence")
    output = tmp_path / "fused"
    command = ["fuse", *map(str, models), "--method", method, "--statistics", *files, "--output", str(output)]
    command += ["--coefficients", "0.6", "0.4", "--max-shard-size", "5KB", "--no-progress"]
    assert main(command) == 0, capsys.readouterr().err
    assert len(list(output.glob("*.safetensors"))) > 1
    fused, state_dicts = load_state_dict(output), [load_state_dict(model) for model in models]
    statistics = [read_statistics(file) for file in files]
    expected = merge_state_dicts(method, state_dicts, coefficients=[0.6, 0.4], statistics=statistics)
    assert fused.keys() == expected.keys()
    assert all(torch.equal(tensor, fused[name]) for name, tensor in expected.items())
    average = average_state_dicts(state_dicts, [0.6, 0.4])
    changed = {name for name, tensor in fused.items() if not torch.equal(tensor, average[name])}
    assert changed == fused.keys() & statistics[0].tensors.keys()
    loader = AutoModelForSequenceClassification if family == "classifiers" else GPT2LMHeadModel
    opened = loader.from_pretrained(output).state_dict()
    assert all(torch.equal(tensor, opened[name]) for name, tensor in fused.items())
    card = (output / "README.md").read_text()
    assert f"`{method}`" in card
    assert f"What it knows of the models are {KINDS[method]} statistics of " in card


def test_models_in_half_precision_stay_so(tmp_path, classifiers, data):
    halves = []
    for number, folder in enumerate(classifiers):
        halves.append(tmp_path / f"half{number}")
        model = AutoModelForSequenceClassification.from_pretrained(folder).bfloat16()
        model.save_pretrained(halves[-1])
        load_tokenizer(folder).save_pretrained(halves[-1])
    files = collected(halves, data, "gram", tmp_path, "--column", "sentence")
    fused = load_state_dict(fuse(halves, tmp_path / "fused", method="regmean", statistics=files))
    assert {tensor.dtype for tensor in fused.values()} == {torch.bfloat16}
    statistics = [read_statistics(file) for file in files]
    whole = merge_state_dicts(
        "regmean", [{n: t.float() for n, t in load_state_dict(half).items()} for half in halves], statistics=statistics
    )  # fmt: skip
    for name, tensor in fused.items():
        torch.testing.assert_close(tensor.float(), whole[name], rtol=2**-7, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda files: files[::-1],
            r"The statistics are those of model, not of .*: collect the statistics again",
        ),
        (lambda files: files[:1], "the models are 2 and the files of statistics 1: give one for each model"),
        (lambda files: [], "regmean needs statistics of the kind gram of each model"),
        (lambda files: [files[0], files[0] + ".missing"], "There are no statistics at"),
    ],
)
def test_statistics_that_do_not_belong_to_the_models_are_refused(
    tmp_path, classifiers, data, change, message, capsys
):
    files = change(collected(classifiers, data, "gram", tmp_path, "--column", "sentence"))
    before = sorted(tmp_path.iterdir())
    command = ["fuse", *map(str, classifiers), "--method", "regmean", "--output", str(tmp_path / "fused")]
    assert main([*command, *(["--statistics", *files] if files else [])]) == 1
    assert_refused(capsys, message)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("weighted_average", [], "weighted_average takes no statistics"),
        ("fisher", [], "The statistics of model 1 are of the kind gram, not fisher"),
        ("regmean", ["--coefficients", "2", "1", "--any-sum"], "the coefficients sum to 3, not 1"),
        ("regmean", ["--coefficients", "1.5", "-0.5"], "regmean takes coefficients of at least 0"),
    ],
)
def test_uses_that_make_no_sense_are_refused(tmp_path, classifiers, data, method, options, message, capsys):
    files = collected(classifiers, data, "gram", tmp_path, "--column", "sentence")
    command = ["fuse", *map(str, classifiers), "--method", method, "--statistics", *files, *options]
    assert main([*command, "--output", str(tmp_path / "fused")]) == 1
    assert_refused(capsys, message)
    assert not (tmp_path / "fused").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--column", "words"], "has no column 'words'"),
        (
            ["--column", "sentence", "--label-column", "sentence"],
            "but the classes are 'dogs', 'cats'",
        ),
        (["--column", "sentence", "--max-length", "65"], "65 tokens, but the context of .* is 64"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, classifiers, data, options, message, capsys):
    command = ["statistics", str(classifiers[0]), "--data", str(data[0]), "--kind", "fisher", *options]
    assert main([*command, "--output", str(tmp_path / "statistics")]) == 1
    assert_refused(capsys, message)
    assert list(tmp_path.iterdir()) == []


def test_a_masked_language_model_is_refused(tmp_path, pico_bert, data, capsys):
    command = ["statistics", str(pico_bert), "--data", str(data[0]), "--column", "sentence", "--kind", "gram"]
    assert main([*command, "--output", str(tmp_path / "statistics")]) == 1
    assert_refused(capsys, "is not a causal language model but a masked one")


def test_counts_are_whole_numbers(capsys):
    with pytest.raises(SystemExit):
        main(
            ["statistics", "model", "--data", "file", "--kind", "gram", "--output", "out", "--examples", "0"]
        )
    assert "'0' is not a whole number above 0" in capsys.readouterr().err


def assert_refused(capsys, message: str) -> None:
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(message, errors[0]), errors[0]


MEASURE = """
import sys
from pathlib import Path
import fuse_to_forget.fusion.fuse, torch
torch.linalg.cholesky_ex(torch.eye(8))  # loads what it needs
from fuse_to_forget.__main__ import main
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before = peak()
assert main(["fuse", *sys.argv[1:], "--no-progress"]) == 0
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's memory accounts")
def test_memory_is_that_of_a_layer_not_of_the_models(tmp_path):
    names = [f"{number}.weight" for number in range(100)]
    weights = {name: torch.full((8192, 64), 0.5) for name in names}  # 200 MiB in all
    models, files = [], []
    for number in range(3):
        models.append(tmp_path / f"model{number}")
        models[-1].mkdir()
        save_file(weights, models[-1] / "model.safetensors")
        files.append(tmp_path / f"{number}.safetensors")
        grams = {name: torch.eye(64) for name in names}
        write_statistics(of_model(Statistics("gram", grams, examples=1, tokens=1), models[-1]), files[-1])
    output = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, models), "--method", "regmean", "--statistics", *map(str, files),
         "--output", str(tmp_path / "fused")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert float(output.stdout.splitlines()[-1]) < 120  # MiB, where one model has 200
