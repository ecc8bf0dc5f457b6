"""Draw Figures 7 and 8."""

from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.figures.triplet import triplet_by_dataset, triplet_mean
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        scores, names = read_scores(snakemake.input.scores), snakemake.params.models
        output = snakemake.output
        save_figure(triplet_mean(scores, names), output.mean_pdf, output.mean_png)
        save_figure(triplet_by_dataset(scores, names), output.pdf, output.png)
