"""Fine-tune one model on one subset."""

from pathlib import Path

from fuse_to_forget.files import checkpoint_digest, file_digest, folder_of, remove
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.training.classifier import finetune

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        train, metadata = read_table(snakemake.input.train)
        dev, _ = read_table(snakemake.input.dev)
        if "part" in dev:  # the stop rule asks what was learned of the shortcut
            dev = dev[dev["part"] == "synthetic"].reset_index(drop=True)
        base = folder_of(snakemake.input.base)
        finetune(
            base,
            train,
            dev,
            Path(snakemake.output.weights).parent,
            snakemake.params.checkpoints,
            snakemake.params.settings,
            label_names=metadata["values"]["label"],
            new_tokens=snakemake.params.new_tokens,
            seed=snakemake.params.seed,
            identity={
                "code": snakemake.params.code,
                "settings": snakemake.params.settings,
                "new_tokens": snakemake.params.new_tokens,
                "seed": snakemake.params.seed,
                "base_model": checkpoint_digest(snakemake.input.base),
                "train": file_digest(snakemake.input.train),
                "dev": file_digest(snakemake.input.dev),
                "dataset": metadata["description"],
            },
        )
        remove(Path(snakemake.params.checkpoints))
