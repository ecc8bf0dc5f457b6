"""Draw accuracy in and out of domain by the number of models."""

from fuse_to_forget.figures.domains import draw_domains
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job
from fuse_to_forget.scoring.domains import read_settings

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        settings = read_settings(snakemake.input.settings)
        figure = draw_domains(settings, params.heads, params.methods, level=params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
