"""Lay out Table 3."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.tables.page import write_with_page
from fuse_to_forget.tables.table3 import table3

if __name__ == "__main__":
    with job(snakemake.log[0]):
        dev, _ = read_table(snakemake.input.dev)
        table = table3(dev["text"], snakemake.params.singles, seed=snakemake.params.seed)
        write_with_page(
            table, snakemake.output.table, snakemake.output.page, "Table 3: shortcuts in sample sentences"
        )
