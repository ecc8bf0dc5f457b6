"""Score the predictions of the bias study."""

import pandas as pd

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.scoring.biases import score_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import write_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        frames, metadata = zip(*map(read_table, snakemake.input), strict=True)
        scores = score_biases(
            pd.concat(frames, ignore_index=True),
            snakemake.params.attributes,
            f"{metadata[0]['dataset']}, {metadata[0]['demographics']} demographics",
            Bootstrap(**snakemake.params.bootstrap),
        )
        write_scores(scores, snakemake.output.scores)
