"""Join the claims of all studies."""

import pandas as pd

from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv
from fuse_to_forget.tables.claims import write_claims

if __name__ == "__main__":
    with job(snakemake.log[0]):
        tables = [read_csv(path, ["claim"]) for path in snakemake.input.claims]
        joined = [
            table.assign(study=study) for study, table in zip(snakemake.params.studies, tables, strict=True)
        ]
        claims = pd.concat(joined, ignore_index=True)
        claims = claims[["study", *tables[0].columns]]
        write_claims(claims, snakemake.output.claims, snakemake.output.page, "Claims of the paper")
