"""Random checkpoints in Llama's layout and statistics of them, for benchmarks: files of full size, made quickly.

Values come from one random block that is repeated, so that writing them takes as long as the disk does. Three models
are the base moved in part in a common direction, as fine-tuned ones are.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY = 2048, 16, 6144, 32000
BLOCK = 8 << 20  # random values that are repeated
WEIGHT, MOVED = 0.02, 0.002  # standard deviations of the base's weights and of what training adds to them
RANK = 64  # of what Gram matrices have beside the identity
BASE = 0  # the seed of the base; models have others
EXAMPLES = 1000  # that statistics say they are of


def weight_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a Llama model of so many layers."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        shapes |= {f"{prefix}self_attn.{p}_proj.weight": (HIDDEN, HIDDEN) for p in "qkvo"}
        shapes |= {f"{prefix}mlp.{p}_proj.weight": (INTERMEDIATE, HIDDEN) for p in ("gate", "up")}
        shapes[f"{prefix}mlp.down_proj.weight"] = (HIDDEN, INTERMEDIATE)
        shapes |= {f"{prefix}{n}_layernorm.weight": (HIDDEN,) for n in ("input", "post_attention")}
    return shapes | {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}


def make_checkpoint(folder: Path, layers: int, number: int) -> None:
    """Write the base (number 0) or a model that was fine-tuned from it, in bfloat16: 2 GB for 16 layers."""
    values = _normal(BASE) * WEIGHT
    if number != BASE:
        values += (_normal(BASE + 1) + _normal(BASE + 1 + number)) * MOVED
    shapes = weight_shapes(layers)
    folder.mkdir()
    _write(folder / "model.safetensors", "BF16", shapes, _repeated(shapes, _bfloat16(values)), {})
    (folder / "config.json").write_text(json.dumps(llama_config(layers)))


def make_statistics(kind: str, model: Path, file: Path, layers: int, number: int) -> None:
    """Write statistics of a checkpoint, float32: 4 GB for 16 layers, be they Gram matrices or Fisher diagonals."""
    from fuse_to_forget.statistics.store import FORMAT, Statistics, of_model

    shapes = weight_shapes(layers)
    if kind == "gram":
        left_out = [name for name in shapes if "embed" in name]
        linear = {n: s for n, s in shapes.items() if len(s) == 2 and n not in left_out}
        shapes = {name: (inputs, inputs) for name, (_, inputs) in linear.items()}
        grams = {inputs: _gram(inputs, number) for inputs in {s[0] for s in shapes.values()}}
        chunks = (grams[shape[0]] for shape in shapes.values())
    else:
        left_out = []
        chunks = _repeated(shapes, _normal(BASE + 1 + number) ** 2)
    facts = of_model(Statistics(kind, {}, EXAMPLES, EXAMPLES, left_out=left_out), model)
    described = {key: value for key, value in vars(facts).items() if key != "tensors"}
    _write(file, "F32", shapes, chunks, {FORMAT: json.dumps(described)})


def llama_config(layers: int) -> dict[str, object]:
    """The config.json that belongs to the tensors of `make_checkpoint`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "num_hidden_layers": layers,
        "intermediate_size": INTERMEDIATE,
        "vocab_size": VOCABULARY,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def _normal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(BLOCK, dtype="float32")


def _bfloat16(values: np.ndarray) -> np.ndarray:
    return (values.view("uint32") >> 16).astype("uint16")  # bfloat16 is float32's upper half


def _gram(inputs: int, number: int) -> np.ndarray:
    """A symmetric positive definite matrix, different for each model."""
    directions = _normal(BASE + 1 + number)[: inputs * RANK].reshape(inputs, RANK)
    return np.identity(inputs, dtype="float32") + directions @ directions.T / RANK


def _repeated(shapes: Mapping[str, tuple[int, ...]], block: np.ndarray) -> Iterator[np.ndarray]:
    """The block over and over, cut off where the tensors end."""
    left = sum(math.prod(shape) for shape in shapes.values())
    while left > 0:
        yield block[:left]
        left -= len(block)


def _write(
    file: Path,
    dtype: str,
    shapes: Mapping[str, tuple[int, ...]],
    chunks: Iterator[np.ndarray],
    metadata: Mapping[str, str],
) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"} | metadata}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + math.prod(shape) * {"BF16": 2, "F32": 4}[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for chunk in chunks:
            stream.write(chunk.data)
