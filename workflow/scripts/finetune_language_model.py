"""Fine-tune one language model on its subsets of token sequences."""

from pathlib import Path

from fuse_to_forget.files import file_digest, remove
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.runs import DEV
from fuse_to_forget.training.language_model import finetune_language_model

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        sequences, metadata = read_table(snakemake.input.sequences)
        finetune_language_model(
            snakemake.input.base,
            sequences[sequences["dataset"].isin(params.subsets)].reset_index(drop=True),
            sequences[sequences["dataset"] == DEV].reset_index(drop=True),
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
                "base_model": file_digest(snakemake.input.base),
                "sequences": file_digest(snakemake.input.sequences),
                "dataset": metadata["description"],
            },
        )
        remove(Path(params.checkpoints))
