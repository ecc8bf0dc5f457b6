"""Agreement with mergekit, where there is one: in this environment, or in that of the Python MERGEKIT_PYTHON.

Random methods are compared where they drop nothing: what each draws is its own. mergekit's DARE and DELLA also scale
what they keep differently (to the task vector's L1 norm), so that nothing else about them could agree.
"""

import copy
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_models import BERT, GPT2
from transformers import AutoModelForSequenceClassification, BertConfig, GPT2LMHeadModel, PreTrainedModel

from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.fuse import fuse

PYTHON = os.environ.get("MERGEKIT_PYTHON") or (
    sys.executable if importlib.util.find_spec("mergekit") else None
)
pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="needs mergekit: install it, or name the Python that has it in MERGEKIT_PYTHON"
)

WEIGHTS = [0.5, 0.3, 0.2]
HALF = {"density": 0.5}
# method -> our settings, mergekit's method, its parameters for all models and for each
CASES = {
    "weighted_average": ({}, "linear", {}, {}),
    "slerp": ({}, "slerp", {"t": 0.3}, {}),
    "karcher": ({"iterations": 10, "tolerance": 1e-5}, "karcher", {"max_iter": 10, "tol": 1e-5}, {}),
    "task_arithmetic": ({"scale": 0.7}, "task_arithmetic", {"lambda": 0.7}, {}),
    "ties": (HALF | {"scale": 0.7}, "ties", {"lambda": 0.7}, HALF),
    "breadcrumbs": ({"drop_smallest": 0.25, "drop_largest": 0.25}, "breadcrumbs", {}, HALF | {"gamma": 0.25}),
    "dare_linear": ({"density": 1.0}, "dare_linear", {}, {"density": 1.0}),
    "dare_ties": ({"density": 1.0}, "dare_ties", {}, {"density": 1.0}),
    "della": ({"density": 1.0, "spread": 0.0}, "della", {}, {"density": 1.0}),
    "model_stock": ({}, "model_stock", {}, {}),
}
WITHOUT_BASE = ("weighted_average", "slerp", "karcher")
EQUAL = ("karcher", "model_stock")
# Both compute in float32: of bfloat16 only the last rounding may differ, by a step of 2^-7 at most.
TOLERANCE = {torch.float32: {"rtol": 1e-5, "atol": 1e-6}, torch.bfloat16: {"rtol": 2**-7, "atol": 1e-6}}

MERGE_ALL = """
import json, sys
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
for folder, config in json.load(sys.stdin):
    run_merge(MergeConfiguration.model_validate(config), folder, options=MergeOptions(copy_tokenizer=False, quiet=True))
"""


def classifier() -> PreTrainedModel:
    # With four labels half and a quarter of the numbers in each tensor are whole numbers.
    return AutoModelForSequenceClassification.from_config(
        BertConfig(**BERT.to_diff_dict() | {"num_labels": 4})
    )


ARCHITECTURES = {"bert": classifier, "gpt2": lambda: GPT2LMHeadModel(GPT2)}
# In bfloat16 many numbers of a task vector are equal: at a threshold we keep all, mergekit as many as it counts.
TRIMMED = ("ties", "breadcrumbs")
COMPARED = [
    (method, architecture, dtype)
    for method, architecture, dtype in itertools.product(CASES, ARCHITECTURES, TOLERANCE)
    if not (method in TRIMMED and dtype == torch.bfloat16)
]


def folder_of(architecture: str, dtype: torch.dtype, what: int | str) -> str:
    return f"{architecture}-{str(dtype).removeprefix('torch.')}-{what}"


def models_for(method: str) -> list[int]:
    return [1, 2] if method == "slerp" else [1, 2, 3]


def save_models(architecture: str, folder: Path) -> None:
    """Save a base, 0, and three models that moved from it in part in a common direction, as fine-tuned ones do."""
    torch.manual_seed(1)
    base = ARCHITECTURES[architecture]()
    weights = {name: w + 0.1 * torch.randn_like(w) for name, w in base.named_parameters()}
    common = {name: 0.3 * torch.randn_like(w) for name, w in weights.items()}
    for number in range(4):
        with torch.no_grad():
            for name, parameter in base.named_parameters():
                own = common[name] + 0.3 * torch.randn_like(parameter)
                parameter.copy_(weights[name] + own if number else weights[name])
        for dtype in TOLERANCE:
            copy.deepcopy(base).to(dtype).save_pretrained(folder / folder_of(architecture, dtype, number))


def mergekit_config(method: str, architecture: str, dtype: torch.dtype, folder: Path) -> dict:
    _, theirs, shared, own = CASES[method]
    numbers = models_for(method)
    paths = {number: str(folder / folder_of(architecture, dtype, number)) for number in (0, *numbers)}
    weight = {} if method in (*EQUAL, "slerp") else {"weight": WEIGHTS}
    models = [
        {"model": paths[number], "parameters": own | {key: values[i] for key, values in weight.items()}}
        for i, number in enumerate(numbers)
    ]
    base = {} if method in ("weighted_average", "karcher") else {"base_model": paths[0]}
    if method == "slerp":
        base = {"base_model": paths[1]}  # what t starts from
    return {
        "merge_method": theirs, "models": models, "parameters": shared, **base,
        "dtype": "float32", "out_dtype": str(dtype).removeprefix("torch."),
    }  # fmt: skip


@pytest.fixture(scope="module")
def merged(tmp_path_factory) -> Path:
    """The models, and what mergekit makes of them by every method."""
    folder = tmp_path_factory.mktemp("mergekit")
    for architecture in ARCHITECTURES:
        save_models(architecture, folder)
    tasks = [
        [
            str(folder / folder_of(architecture, dtype, method)),
            mergekit_config(method, architecture, dtype, folder),
        ]
        for method, architecture, dtype in COMPARED
    ]
    done = subprocess.run(
        [PYTHON, "-c", MERGE_ALL], input=json.dumps(tasks), text=True, cwd=folder, check=False, capture_output=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("method", "architecture", "dtype"), COMPARED, ids=str)
def test_both_write_the_same_weights(merged, tmp_path, method, architecture, dtype):
    settings, *_ = CASES[method]
    models = [merged / folder_of(architecture, dtype, number) for number in models_for(method)]
    coefficients = {"slerp": [0.7, 0.3]}.get(method, None if method in EQUAL else WEIGHTS)
    base = None if method in WITHOUT_BASE else merged / folder_of(architecture, dtype, 0)
    ours = load_state_dict(
        fuse(models, tmp_path / "fused", coefficients, method=method, base=base, settings=settings)
    )
    theirs = load_state_dict(merged / folder_of(architecture, dtype, method))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype == dtype
        torch.testing.assert_close(
            tensor, theirs[name], **TOLERANCE[dtype], msg=lambda m, n=name: f"{n}: {m}"
        )
    average = load_state_dict(fuse(models, tmp_path / "average", coefficients))
    some = next(name for name in ours if name.endswith("query.weight") or name.endswith("attn.c_attn.weight"))
    close = torch.allclose(ours[some].float(), average[some].float(), atol=1e-2)
    assert close == (method in ("weighted_average", "dare_linear"))  # the others do something of their own
