"""Lay out Table 1."""

from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.page import write_with_page
from fuse_to_forget.tables.table1 import table1

if __name__ == "__main__":
    with job(snakemake.log[0]):
        scores = read_scores(snakemake.input.scores)
        table = table1(scores, *snakemake.params.attributes, select_on=snakemake.params.select_on)
        write_with_page(table, snakemake.output.table, snakemake.output.page, "Table 1: social biases")
