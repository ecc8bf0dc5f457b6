"""Lay out Table 2, 5, 6 or 7."""

from fuse_to_forget.jobs import job
from fuse_to_forget.runs import MAIN, SHARED, Run
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.memorization import all_rows, epochs_rows, few_rows, memorization_table
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        runs = {name: Run(**run) for name, run in params.runs.items()}
        letters = runs[MAIN].singles[: None if params.layout == "all" else params.few]
        if params.layout == "epochs":
            rows = list(epochs_rows(runs.values()))
        else:
            rows = list(all_rows(runs[MAIN]) if params.layout == "all" else few_rows(runs[MAIN], letters))
        table = memorization_table(read_scores(snakemake.input.scores), rows, [*letters, SHARED])
        write_with_page(table, snakemake.output.table, snakemake.output.page, params.title)
