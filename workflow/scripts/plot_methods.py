"""Draw what each fusion method keeps."""

from fuse_to_forget.figures.methods import draw_methods
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv
from fuse_to_forget.scoring.methods import COLUMNS

if __name__ == "__main__":
    with job(snakemake.log[0]):
        table = read_csv(snakemake.input.table, COLUMNS)
        figure = draw_methods(table, snakemake.params.methods, level=snakemake.params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
