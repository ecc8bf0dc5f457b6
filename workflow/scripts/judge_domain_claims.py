"""Judge what is claimed of merged models of several domains."""

from fuse_to_forget.domains import Domains
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.domain_claims import domain_claims, unlearned
from fuse_to_forget.scoring.domains import read_settings
from fuse_to_forget.scoring.scores import read_scores
from fuse_to_forget.tables.claims import write_claims

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        study = Domains(**params.study)
        settings = read_settings(snakemake.input.settings)
        claims = claims_table(
            domain_claims(settings, study, params.regmean, params.average),
            unlearned(read_scores(snakemake.input.scores), study),
            int(settings["n_seeds"].iloc[0]),
        )
        write_claims(
            claims,
            snakemake.output.claims,
            snakemake.output.page,
            "Claims on merged models of several domains",
        )
