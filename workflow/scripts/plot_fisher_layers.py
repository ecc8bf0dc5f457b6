"""Draw the overlap of Fisher information layer by layer."""

import pandas as pd

from fuse_to_forget.figures.fisher_layers import fisher_layers
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        overlaps = pd.read_csv(snakemake.input.overlaps, dtype={"seed": str})
        figure = fisher_layers(overlaps, read_scores(snakemake.input.scores))
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
