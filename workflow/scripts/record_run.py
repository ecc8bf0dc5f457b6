"""Write down versions, machine and configuration."""

import pandas as pd

from fuse_to_forget.environment import KINDS, describe_run
from fuse_to_forget.jobs import job
from fuse_to_forget.tables.page import table_part, write_with_page

if __name__ == "__main__":
    with job(snakemake.log[0]):
        facts = pd.DataFrame(describe_run(snakemake.params.config, snakemake.params.lock))
        parts = [
            table_part(facts.loc[facts["kind"] == kind, ["name", "value"]], heading)
            for kind, heading in KINDS.items()
        ]
        write_with_page(
            facts, snakemake.output.run, snakemake.output.page, "Versions and configuration", parts
        )
