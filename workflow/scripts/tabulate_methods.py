"""Score every fusion method on every set of models: table, scores and claims."""

import pandas as pd

from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.memorization import Evaluation
from fuse_to_forget.scoring.method_claims import method_claims
from fuse_to_forget.scoring.method_grids import grids_of
from fuse_to_forget.scoring.methods import methods_table, scores_of
from fuse_to_forget.scoring.scores import write_scores
from fuse_to_forget.tables.claims import write_claims
from fuse_to_forget.tables.page import write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, output = snakemake.params, snakemake.output
        grids = grids_of(
            params.sets,
            {study: snakemake.input[study] for study in params.sets},
            full=params.full,
            mixtures=params.mixtures,
            evaluations={study: Evaluation(**own) for study, own in params.evaluations.items()},
            bootstrap=Bootstrap(**params.bootstrap),
        )
        write_scores(pd.DataFrame(scores_of(grids)), output.scores)
        write_with_page(methods_table(grids), output.table, output.page, params.title)
        claims = claims_table(method_claims(grids, params.methods), (), len(grids[0].measured.seeds))
        write_claims(claims, output.claims, output.claims_page, "Is forgetting a property of averaging?")
