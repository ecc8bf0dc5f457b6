"""Lay out Table 4."""

import pandas as pd

from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.tables.page import table_page
from fuse_to_forget.tables.table4 import overlaps_over_seeds, table4

if __name__ == "__main__":
    with job(snakemake.log[0]):
        overlaps = pd.concat(map(pd.read_csv, snakemake.input.overlaps), ignore_index=True)
        overlaps = overlaps_over_seeds(overlaps, snakemake.params.level)
        table = table4(overlaps)
        for frame, path in ((table, snakemake.output.table), (overlaps, snakemake.output.overlaps)):
            with atomic_path(path) as scratch:
                frame.to_csv(scratch, index=False, lineterminator="\n")
        with atomic_path(snakemake.output.page) as scratch:
            scratch.write_text(table_page(table, "Table 4: overlap of Fisher information"), encoding="utf-8")
