"""Fine-tune one language model on its subsets of token sequences."""

from pathlib import Path

from fuse_to_forget.files import checkpoint_digest, file_digest, folder_of, remove
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, read_tables
from fuse_to_forget.training.language_model import finetune_language_model

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        train, metadata = read_tables(snakemake.input.train)
        dev, _ = read_table(snakemake.input.dev)
        base = folder_of(snakemake.input.base)
        finetune_language_model(
            base,
            train,
            dev,
            Path(snakemake.output.weights).parent,
            params.checkpoints,
            params.settings,
            objective=params.objective,
            seed=params.seed,
            identity={
                "code": params.code,
                "settings": params.settings,
                "objective": params.objective,
                "subsets": params.subsets,
                "seed": params.seed,
                "base_model": checkpoint_digest(snakemake.input.base),
                "train": [file_digest(file) for file in snakemake.input.train],
                "dev": file_digest(snakemake.input.dev),
                "dataset": metadata["description"],
            },
        )
        remove(Path(params.checkpoints))
