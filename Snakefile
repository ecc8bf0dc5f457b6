from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


wildcard_constraints:
    study="biases",
    model="|".join(MODELS),
    attribute="|".join(ATTRIBUTES),
    download="|".join(config["downloads"]),
    recipe="|".join(config["biases"]["recipes"]),
    seed=r"\d+",


include: "workflow/rules/data.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/fuse.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/tabulate.smk"
include: "workflow/rules/plot.smk"


localrules:
    all,
    biases,


rule biases:
    """Make Table 1 and Figure 5: social biases."""
    input:
        "results/table1.csv",
        "results/table1.html",
        "results/figure5.pdf",
        "results/figure5.png",
        "results/run.csv",


rule all:
    """Make every table and figure."""
    default_target: True
    input:
        rules.biases.input,
