"""Score the models of a memorization study."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.runs import Run
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.memorization import SEQUENCE, Evaluation, score_memorization
from fuse_to_forget.scoring.memorization_groups import groups_of
from fuse_to_forget.scoring.scores import write_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        predictions, _ = read_tables(snakemake.input.predictions)
        # runs share their base model, and some of them their sequences
        predictions = predictions.drop_duplicates(["model", *SEQUENCE], ignore_index=True)
        scores = score_memorization(
            predictions,
            Bootstrap(**params.bootstrap),
            Evaluation(**params.switches, batch_size=params.batch_size),
            params.study,
            [group for run in params.runs.values() for group in groups_of(Run(**run))],
        )
        write_scores(scores, snakemake.output.scores)
