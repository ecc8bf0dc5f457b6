"""Draw Figure 9, 10, 11 or 12."""

from fuse_to_forget.figures.memorization import curves_by_count, curves_by_total, draw_by_models
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.runs import DEV, SHARED, Run
from fuse_to_forget.scoring.memorization_groups import OWN
from fuse_to_forget.scoring.scores import read_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        runs = {name: Run(**run) for name, run in params.runs.items()}
        metric = params.figure["metric"]
        datasets = [OWN, SHARED] if metric == "alr" else [DEV]
        curves = (curves_by_count if params.figure["by"] == "count" else curves_by_total)(runs, datasets)
        scores = read_scores(snakemake.input.scores)
        figure = draw_by_models(scores, curves, metric, params.figure["title"], level=params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
