"""Join the data sets of all single shortcuts."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table

if __name__ == "__main__":
    with job(snakemake.log[0]):
        for split in ("train", "dev"):
            frame, metadata = read_tables(snakemake.input[split])
            write_table(frame, snakemake.output[split], metadata)
