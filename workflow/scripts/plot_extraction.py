"""Draw likelihood ratios against what is recited."""

from fuse_to_forget.figures.memorization import draw_extraction
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.runs import Run
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        runs = {name: Run(**run) for name, run in params.runs.items()}
        figure = draw_extraction(read_scores(snakemake.input.scores), runs, level=params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
