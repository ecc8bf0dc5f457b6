"""Draw what fused models kept against what they forgot."""

from fuse_to_forget.audit.figure import audit_figure
from fuse_to_forget.audit.page import read_summary
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        figure = audit_figure(read_summary(snakemake.input.summary), level=snakemake.params.level)
        save_figure(figure, snakemake.output.pdf, snakemake.output.png)
