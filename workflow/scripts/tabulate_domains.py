"""Lay out the domain table."""

from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.domains import read_settings
from fuse_to_forget.tables.domains import domain_table
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        write_with_page(
            domain_table(read_settings(snakemake.input.settings), snakemake.params.average),
            snakemake.output.table,
            snakemake.output.page,
            "Merged models in the domains of their parts, and in others",
        )
