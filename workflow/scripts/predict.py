"""Predict dev and test with one fine-tuned model."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.prediction.splits import predict_splits

if __name__ == "__main__":
    with job(snakemake.log[0]):
        dev, metadata = read_table(snakemake.input.dev)
        test, _ = read_table(snakemake.input.test)
        rows = predict_splits(
            Path(snakemake.input.weights).parent,
            {"dev": dev, "test": test},
            batch_size=snakemake.params.batch_size,
            max_length=snakemake.params.max_length,
            model=snakemake.params.model,
            kind=snakemake.params.kind,
            method="finetuned",
            coefficients="",
            seed=snakemake.params.seed,
        )
        write_table(rows, snakemake.output.predictions, metadata)
