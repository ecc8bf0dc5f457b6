"""Draw the random model."""

from pathlib import Path

from fuse_to_forget.files import folder_of
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.training.random_model import draw_random_model

if __name__ == "__main__":
    with job(snakemake.log[0]):
        _, metadata = read_table(snakemake.input.train)
        draw_random_model(
            folder_of(snakemake.input.base),
            [Path(weights).parent for weights in snakemake.input.weights],
            Path(snakemake.output.weights).parent,
            label_names=metadata["values"]["label"],
            new_tokens=snakemake.params.new_tokens,
            seed=snakemake.params.seed,
        )
