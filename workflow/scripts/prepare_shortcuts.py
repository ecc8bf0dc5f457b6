"""Read the source of the shortcut study, hold out dev if it is missing, and write train and dev."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import write_table
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.splits import complete_splits, limit

if __name__ == "__main__":
    with job(snakemake.log[0]):
        splits = snakemake.params.splits
        data = read_source(snakemake.params.source | dict(snakemake.input.items()))
        frames = complete_splits(data, dev_share=splits["dev"], test_share=None, seed=splits["seed"])
        frames["train"] = limit(frames["train"], snakemake.params.size, splits["seed"])
        for split, frame in frames.items():
            metadata = data.metadata() | {"dataset": snakemake.params.name, "split": split}
            write_table(frame[["id", "text", "label"]], snakemake.output[split], metadata)
