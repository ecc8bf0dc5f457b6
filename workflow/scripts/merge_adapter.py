"""Make a LoRA adapter into a whole checkpoint."""

from fuse_to_forget.audit.adapters import merge_adapter
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        merge_adapter(
            params.models[params.adapter], params.base, snakemake.output.folder, params.task, params.repo
        )
