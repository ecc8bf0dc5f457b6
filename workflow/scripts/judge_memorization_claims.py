"""Judge the statements of the paper on fused language models."""

from fuse_to_forget.jobs import job
from fuse_to_forget.runs import Run
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.memorization import Evaluation, measure_files
from fuse_to_forget.scoring.memorization_claims import Remembered, memorization_claims, unlearned
from fuse_to_forget.tables.claims import write_claims

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        measured = measure_files(
            snakemake.input.predictions, Bootstrap(**params.bootstrap), Evaluation(**params.evaluation)
        )
        runs = {name: Run(**run) for name, run in params.runs.items()}
        remembered = Remembered(measured, runs, params.objective)
        claims = claims_table(memorization_claims(remembered), unlearned(remembered), len(measured.seeds))
        write_claims(claims, snakemake.output.claims, snakemake.output.page, params.title)
