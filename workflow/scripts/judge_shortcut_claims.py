"""Judge the statements of the paper on fused shortcut models."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.results import read_csv
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.shortcut_claims import shortcut_claims
from fuse_to_forget.scoring.shortcut_evidence import Evidence
from fuse_to_forget.scoring.shortcuts import measure_shortcuts
from fuse_to_forget.tables.claims import write_claims
from fuse_to_forget.training.facts import learned

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        predictions, _ = read_tables([*snakemake.input.sweeps, *snakemake.input.models])
        measured = measure_shortcuts(predictions, Bootstrap(**params.bootstrap))
        unlearned = [model for (model, _), knows in learned(snakemake.input.facts).items() if not knows]
        evidence = Evidence(measured, params.singles, params.sweeps["steps"], params.tolerance)
        claims = claims_table(
            shortcut_claims(
                evidence,
                predictions,
                read_csv(snakemake.input.table4, ["pair", "comparison"]),
                params.sweeps,
                params.bootstrap["seed"],
            ),
            unlearned,
            len(measured.seeds),
        )
        write_claims(
            claims,
            snakemake.output.claims,
            snakemake.output.page,
            "Claims of the paper on fused shortcut models",
        )
