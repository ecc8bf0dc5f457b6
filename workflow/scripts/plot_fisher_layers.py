"""Draw the overlap of Fisher information layer by layer."""

import pandas as pd

from fuse_to_forget.figures.fisher_layers import fisher_layers
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        overlaps = pd.read_csv(snakemake.input.overlaps, dtype={"seed": str})
        figure = fisher_layers(overlaps, level=snakemake.params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
