"""Write one fused model as a checkpoint."""

import json
from pathlib import Path

from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        folders = [Path(weights).parent for weights in snakemake.input.weights]
        facts = [json.loads((folder / "training.json").read_text()) for folder in folders]
        fuse(
            folders,
            Path(snakemake.output.weights).parent,
            snakemake.params.coefficients,
            names=snakemake.params.models,
            max_shard_bytes=None,  # one file: the rule names it
            data="; ".join(sorted({fact["dataset"] for fact in facts})),
            progress=True,
        )
