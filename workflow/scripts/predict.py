"""Predict all data with one fine-tuned model."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.prediction.splits import predict_splits

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        read = {split: read_tables(snakemake.input[split]) for split in snakemake.params.splits}
        rows = predict_splits(
            Path(snakemake.input.weights).parent,
            {split: frame for split, (frame, _) in read.items()},
            batch_size=snakemake.params.batch_size,
            max_length=snakemake.params.max_length,
            model=snakemake.params.model,
            kind=snakemake.params.kind,
            method="finetuned",
            coefficients="",
            seed=snakemake.params.seed,
        )
        write_table(rows, snakemake.output.predictions, read["dev"][1])
