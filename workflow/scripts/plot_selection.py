"""Draw the trade-off curve of the selection of coefficients."""

from fuse_to_forget.figures.selection import draw_selection
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv

if __name__ == "__main__":
    with job(snakemake.log[0]):
        table = read_csv(snakemake.input.table, ["split", "model", "goal", "n_seeds", "dataset"])
        figure = draw_selection(table, level=snakemake.params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
