from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/start.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/common_inputs.smk"
include: "workflow/rules/common_memorization.smk"
include: "workflow/rules/common_methods.smk"
include: "workflow/rules/common_audit.smk"
include: "workflow/rules/common_domains.smk"


wildcard_constraints:
    study=one_of(*MODELS),
    model=one_of(*(model for models in MODELS.values() for model in models)),
    run=one_of(*(run for runs in RUNS.values() for run in runs)),
    subset=one_of(*(subset for subsets in SUBSETS.values() for subset in subsets)),
    pretrained=one_of(*config["pretrained"]),
    attribute=one_of(*ATTRIBUTES),
    mixture=one_of(*MIXTURES),
    comparison=one_of(*FISHER),
    sweep=one_of(*SWEEPS["shortcuts"], *SWEEPS["biases"]),
    download=one_of(*config["downloads"]),
    recipe=one_of(*config["shortcuts"]["recipes"], *config["biases"]["recipes"]),
    seed=r"\d+",
    figure=r"\d+",
    set=one_of(*(name for sets in METHOD_SETS.values() for name in sets)),


include: "workflow/rules/data.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/fuse.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/methods.smk"
include: "workflow/rules/domains.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/tabulate.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/check.smk"


if AUDIT:

    include: "workflow/rules/audit.smk"


localrules:
    all,
    shortcuts,
    biases,
    memorization,
    domains,
    methods,
    audit,


rule shortcuts:
    """Make Figures 2, 3, 4, 6, 7, 8 and Tables 3, 4: shortcuts."""
    input:
        expand(
            "results/figure{figure}.{type}",
            figure=[2, 3, 4, 6, 7, 8],
            type=["pdf", "png"],
        ),
        expand("results/table{table}.{type}", table=[3, 4], type=["csv", "html"]),
        expand("results/fisher_layers.{type}", type=["pdf", "png"]),
        expand("results/claims/shortcuts.{type}", type=["csv", "html"]),
        expand("results/run.{type}", type=["csv", "html"]),


rule biases:
    """Make Table 1, Figure 5 and the selection of coefficients: social biases."""
    input:
        "results/table1.csv",
        "results/table1.html",
        "results/figure5.pdf",
        "results/figure5.png",
        expand("results/selection.{type}", type=["csv", "html"]),
        expand("results/figure_selection.{type}", type=["pdf", "png"]),
        expand("results/run.{type}", type=["csv", "html"]),


rule memorization:
    """Make Tables 2, 5, 6, 7 and Figures 9 to 12: memorised text."""
    input:
        expand(
            "results/table{table}.{type}",
            table=MEMORIZATION_TABLES,
            type=["csv", "html"],
        ),
        expand(
            "results/figure{figure}.{type}",
            figure=MEMORIZATION_FIGURES,
            type=["pdf", "png"],
        ),
        expand("results/extraction.{type}", type=["csv", "html"]),
        expand("results/figure_extraction.{type}", type=["pdf", "png"]),
        expand("results/claims/{study}.{type}", study=RUNS, type=["csv", "html"]),
        expand("results/run.{type}", type=["csv", "html"]),


rule domains:
    """Make the table and figure of merged models of several domains."""
    input:
        expand("results/table_domains.{type}", type=["csv", "html"]),
        expand("results/figure_domains.{type}", type=["pdf", "png"]),
        expand("results/claims/domains.{type}", type=["csv", "html"]),
        expand("results/run.{type}", type=["csv", "html"]),


rule methods:
    """Make the grid of fusion methods: what each keeps of shared and of unshared knowledge."""
    input:
        expand("results/methods.{type}", type=["csv", "html"]),
        expand("results/claims/methods.{type}", type=["csv", "html"]),
        expand("results/figure_methods.{type}", type=["pdf", "png"]),
        expand("results/run.{type}", type=["csv", "html"]),


rule audit:
    """Fuse the user's own models and measure them: config/audit.example.yaml."""
    input:
        audit_targets,
        expand("results/run.{type}", type=["csv", "html"]),


rule all:
    """Make every table and figure."""
    default_target: True
    input:
        rules.shortcuts.input,
        rules.biases.input,
        rules.memorization.input,
        rules.domains.input,
        rules.methods.input,
        "results/claims.csv",
        "results/claims.html",
