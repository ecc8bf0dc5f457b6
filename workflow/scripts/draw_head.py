"""Draw a head on top of the base model, for trainings that all start from it."""

from pathlib import Path

from fuse_to_forget.files import folder_of
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.training.head import draw_head

if __name__ == "__main__":
    with job(snakemake.log[0]):
        _, metadata = read_tables(snakemake.input.train)
        draw_head(
            folder_of(snakemake.input.base),
            Path(snakemake.output.weights).parent,
            label_names=metadata["values"]["label"],
            seed=snakemake.params.seed,
        )
