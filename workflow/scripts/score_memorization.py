"""Score the models of a memorization study."""

from fuse_to_forget.jobs import job
from fuse_to_forget.runs import Run
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.memorization import Evaluation, measure_files
from fuse_to_forget.scoring.memorization_groups import groups_of, score_memorization
from fuse_to_forget.scoring.scores import write_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        measured = measure_files(
            snakemake.input.predictions, Bootstrap(**params.bootstrap), Evaluation(**params.evaluation)
        )
        groups = [group for run in params.runs.values() for group in groups_of(Run(**run))]
        write_scores(score_memorization(measured, params.study, groups), snakemake.output.scores)
