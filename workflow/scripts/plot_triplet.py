"""Draw Figures 7 and 8."""

from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.figures.triplet import triplet_by_dataset, triplet_mean
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, output = snakemake.params, snakemake.output
        shown = read_scores(snakemake.input.scores), params.models
        save_figure(triplet_mean(*shown, level=params.level), output.mean_pdf, output.mean_png)
        save_figure(triplet_by_dataset(*shown, level=params.level), output.pdf, output.png)
