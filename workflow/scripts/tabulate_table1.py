"""Lay out Table 1."""

from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.page import table_page
from fuse_to_forget.tables.table1 import table1

if __name__ == "__main__":
    with job(snakemake.log[0]):
        scores = read_scores(snakemake.input.scores)
        table = table1(scores, *snakemake.params.attributes, select_on=snakemake.params.select_on)
        with atomic_path(snakemake.output.table) as scratch:
            table.to_csv(scratch, index=False, lineterminator="\n")
        with atomic_path(snakemake.output.page) as scratch:
            scratch.write_text(table_page(table, "Table 1: social biases"), encoding="utf-8")
