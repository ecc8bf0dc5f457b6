"""Draw Figure 2, 3 or 6."""

from fuse_to_forget.figures.interpolation import interpolations
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        scores = read_scores(snakemake.input.scores)
        figure = interpolations(scores, params.pairs, params.datasets, level=params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
