"""Lay out Table 3."""

from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.tables.page import table_page
from fuse_to_forget.tables.table3 import table3

if __name__ == "__main__":
    with job(snakemake.log[0]):
        dev, _ = read_table(snakemake.input.dev)
        table = table3(dev["text"], snakemake.params.singles, seed=snakemake.params.seed)
        with atomic_path(snakemake.output.table) as scratch:
            table.to_csv(scratch, index=False, lineterminator="\n")
        with atomic_path(snakemake.output.page) as scratch:
            scratch.write_text(table_page(table, "Table 3: shortcuts in sample sentences"), encoding="utf-8")
