"""Draw Figure 4."""

from fuse_to_forget.figures.figure4 import figure4
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.results import read_csv
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        claims = read_csv(snakemake.input.claims, ["claim", "p_value"]).set_index("claim")
        figure = figure4(
            read_scores(snakemake.input.scores),
            snakemake.params.singles,
            {"single": float(claims.loc["many_task_better", "p_value"])},
            level=snakemake.params.level,
        )
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
