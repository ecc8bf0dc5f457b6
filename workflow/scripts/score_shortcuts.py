"""Score the predictions of the shortcut study."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import write_scores
from fuse_to_forget.scoring.shortcuts import score_shortcuts
from fuse_to_forget.training.facts import learned

if __name__ == "__main__":
    with job(snakemake.log[0]):
        predictions, _ = read_tables([*snakemake.input.sweeps, *snakemake.input.models])
        scores = score_shortcuts(
            predictions,
            snakemake.params.singles,
            learned(snakemake.input.facts),
            Bootstrap(**snakemake.params.bootstrap),
        )
        write_scores(scores, snakemake.output.scores)
