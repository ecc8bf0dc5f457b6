"""Draw Figure 5."""

from fuse_to_forget.figures.figure5 import figure5
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        first, second = snakemake.params.attributes
        figure = figure5(
            read_scores(snakemake.input.scores), first, second, select_on=snakemake.params.select_on
        )
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
