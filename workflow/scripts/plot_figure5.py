"""Draw Figure 5."""

from fuse_to_forget.figures.figure5 import figure5
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        figure = figure5(
            read_scores(snakemake.input.scores),
            *params.attributes,
            select_on=params.select_on,
            level=params.level,
        )
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
