"""Lay out Table 2, 5, 6 or 7."""

from fuse_to_forget.jobs import job
from fuse_to_forget.runs import MAIN, SHARED, Run
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.memorization import all_rows, few_rows, memorization_table
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        runs = {name: Run(**run) for name, run in params.runs.items()}
        main, few = runs[MAIN], runs[MAIN].singles[: params.few]
        if params.layout == "few":  # Table 2
            rows, letters = list(few_rows(main, few)), few
        elif params.layout == "epochs":  # Table 6, most epochs first, as the paper
            longest_first = sorted(
                (run for run in runs.values() if "epochs" in run.suffix), key=lambda r: -r.epochs
            )
            rows = [row for run in longest_first for row in few_rows(run, run.singles, epochs=run.epochs)]
            letters = longest_first[0].singles
        else:  # Tables 5 and 7
            rows, letters = list(all_rows(main)), main.singles
        table = memorization_table(read_scores(snakemake.input.scores), rows, [*letters, SHARED])
        write_with_page(table, snakemake.output.table, snakemake.output.page, params.title)
