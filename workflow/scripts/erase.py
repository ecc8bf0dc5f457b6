"""Predict the task after erasing a protected attribute by INLP and LEACE."""

from fuse_to_forget.fusion.checkpoint import load_tensors
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.prediction.debiased import debiased_predictions

if __name__ == "__main__":
    with job(snakemake.log[0]):
        tensors = load_tensors(snakemake.input.representations)
        representations = {split: tensor.numpy() for split, tensor in tensors.items()}
        tables = {split: read_table(snakemake.input[split]) for split in ("train", "dev", "test")}
        rows = debiased_predictions(
            representations,
            {split: frame for split, (frame, _) in tables.items()},
            snakemake.params.attribute,
            snakemake.params.settings,
            erase_test_representations=snakemake.params.erase_test_representations,
            seed=snakemake.params.seed,
            model_seed=snakemake.params.model_seed,
        )
        write_table(rows, snakemake.output.predictions, tables["test"][1])
