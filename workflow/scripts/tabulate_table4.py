"""Lay out Table 4."""

import pandas as pd

from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv
from fuse_to_forget.tables.page import write_with_page
from fuse_to_forget.tables.table4 import KEYS, overlaps_over_seeds, table4

if __name__ == "__main__":
    with job(snakemake.log[0]):
        overlaps = pd.concat([read_csv(path, KEYS) for path in snakemake.input.overlaps], ignore_index=True)
        overlaps = overlaps_over_seeds(overlaps, snakemake.params.level)
        table = table4(overlaps)
        with atomic_path(snakemake.output.overlaps) as scratch:
            overlaps.to_csv(scratch, index=False, lineterminator="\n")
        write_with_page(
            table, snakemake.output.table, snakemake.output.page, "Table 4: overlap of Fisher information"
        )
