"""Draw the overlap of Fisher information layer by layer."""

from fuse_to_forget.figures.fisher_layers import fisher_layers
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv
from fuse_to_forget.tables.table4 import KEYS

if __name__ == "__main__":
    with job(snakemake.log[0]):
        overlaps = read_csv(snakemake.input.overlaps, KEYS, dtype={"seed": str})
        figure = fisher_layers(overlaps, level=snakemake.params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
