"""Write one fused model as a checkpoint."""

from pathlib import Path

from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_record

if __name__ == "__main__":
    with job(snakemake.log[0]):
        folders = [Path(weights).parent for weights in snakemake.input.weights]
        facts = [read_record(file, "dataset") for file in snakemake.input.facts]
        fuse(
            folders,
            Path(snakemake.output.weights).parent,
            snakemake.params.coefficients,
            names=snakemake.params.models,
            max_shard_bytes=None,  # one file: the rule names it
            data="; ".join(sorted({fact["dataset"] for fact in facts})),
            progress=True,
        )
