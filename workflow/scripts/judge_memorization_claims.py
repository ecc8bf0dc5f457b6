"""Judge the statements of the paper on fused language models."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.runs import Run
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.memorization import SEQUENCE, Evaluation, measure_memorization
from fuse_to_forget.scoring.memorization_claims import Remembered, memorization_claims
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        predictions, _ = read_tables(snakemake.input.predictions)
        measured = measure_memorization(
            predictions.drop_duplicates(["model", *SEQUENCE], ignore_index=True),
            Bootstrap(**params.bootstrap),
            Evaluation(**params.switches, batch_size=params.batch_size),
        )
        remembered = Remembered(measured, {name: Run(**run) for name, run in params.runs.items()})
        claims = claims_table(memorization_claims(remembered, params.objective), [], len(measured.seeds))
        write_with_page(claims, snakemake.output.claims, snakemake.output.page, params.title)
