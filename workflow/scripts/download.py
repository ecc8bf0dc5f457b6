"""Fetch what one entry of `downloads` names, and unpack it."""

import os

os.environ.pop(
    "HF_HUB_OFFLINE", None
)  # this rule alone may use the network; read when the hub client is imported

from fuse_to_forget.jobs import job
from fuse_to_forget.sources.download import download

if __name__ == "__main__":
    with job(snakemake.log[0]):
        download(snakemake.params.download, snakemake.output.folder)
