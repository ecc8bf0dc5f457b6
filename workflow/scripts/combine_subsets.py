"""Join the biased subsets into the training set of the full model."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.subsets.biased import union

if __name__ == "__main__":
    with job(snakemake.log[0]):
        frames, metadata = zip(*map(read_table, snakemake.input.subsets), strict=True)
        write_table(union(frames, seed=snakemake.params.seed), snakemake.output.subset, metadata[0])
