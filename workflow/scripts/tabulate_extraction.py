"""Lay out how much each model remembers and recites."""

from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.memorization import extraction_table
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        write_with_page(
            extraction_table(read_scores(snakemake.input.scores)),
            snakemake.output.table,
            snakemake.output.page,
            "Memorization and verbatim extraction",
        )
