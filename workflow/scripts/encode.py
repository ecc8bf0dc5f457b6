"""Encode training, dev and test text with one fine-tuned model."""

from pathlib import Path

from safetensors.numpy import save_file

from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.prediction.splits import encode_splits

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        representations = encode_splits(
            Path(snakemake.input.weights).parent,
            {split: read_table(snakemake.input[split])[0] for split in ("train", "dev", "test")},
            batch_size=snakemake.params.batch_size,
            max_length=snakemake.params.max_length,
        )
        with atomic_path(snakemake.output.representations) as scratch:
            save_file(representations, scratch)
