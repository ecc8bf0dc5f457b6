"""Score the predictions of the shortcut study."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import write_scores
from fuse_to_forget.scoring.shortcuts import score_shortcuts

if __name__ == "__main__":
    with job(snakemake.log[0]):
        predictions, _ = read_tables(snakemake.input)
        scores = score_shortcuts(
            predictions,
            snakemake.params.singles,
            snakemake.params.mixtures,
            learned_at=snakemake.params.learned_at,
            bootstrap=Bootstrap(**snakemake.params.bootstrap),
        )
        write_scores(scores, snakemake.output.scores)
