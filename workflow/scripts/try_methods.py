"""Evaluate a set of classifiers fused by every method."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.prediction.methods import Constituents, Use, predict_with_methods
from fuse_to_forget.statistics.collect import classifier_examples

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params, files = snakemake.params, snakemake.input
        read = {split: read_tables(snakemake.input[split]) for split in params.splits}
        texts = [
            classifier_examples(
                Path(files.weights[0]).parent,
                read_tables(files[name])[0],
                examples=params.examples,
                max_length=params.max_length,
                seed=seed,
            )[0]
            for name, seed in params.text_seeds.items()
        ]
        rows = predict_with_methods(
            Constituents.of_files(
                params.models, files.weights, files.get("base"), texts, gram=files.gram, fisher=files.fisher
            ),
            {label: Use(**use) for label, use in params.uses.items()},
            {split: frame for split, (frame, _) in read.items()},
            batch_size=params.batch_size,
            max_length=params.max_length,
            seed=params.seed,
        )
        write_table(rows, snakemake.output.predictions, read["dev"][1])
