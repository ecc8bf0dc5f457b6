rule plot_figure5:
    """Draw Figure 5: bias and accuracy between the gender-biased and the age-biased model."""
    input:
        scores="results/scores/biases.csv",
    output:
        pdf="results/figure5.pdf",
        png=report(
            "results/figure5.png",
            caption="../report/figure5.rst",
            category="Social biases",
            labels={"result": "Figure 5: between two models"},
        ),
    log:
        "logs/plot_figure5.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_figure5.py"),
        level=config["bootstrap"]["level"],
        attributes=ATTRIBUTES,
        select_on=PROTOCOL["select_coefficients_on"],
    script:
        "../scripts/plot_figure5.py"


rule plot_interpolations:
    """Draw Figure 2, 3 or 6: accuracy along the line between two models."""
    input:
        scores="results/scores/shortcuts.csv",
    output:
        pdf="results/figure{figure}.pdf",
        png=report(
            "results/figure{figure}.png",
            caption="../report/interpolations.rst",
            category="Shortcuts",
            labels={"result": "Figure {figure}: between two models"},
        ),
    log:
        "logs/plot_interpolations/figure{figure}.log",
    wildcard_constraints:
        figure="[236]",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_interpolations.py"),
        level=config["bootstrap"]["level"],
        pairs=figure_pairs,
        datasets=TRAINED_ON,
    script:
        "../scripts/plot_interpolations.py"


rule plot_figure4:
    """Draw Figure 4: each shortcut model, all of them fused, and the full model."""
    input:
        scores="results/scores/shortcuts.csv",
        claims="results/claims/shortcuts.csv",
    output:
        pdf="results/figure4.pdf",
        png=report(
            "results/figure4.png",
            caption="../report/figure4.rst",
            category="Shortcuts",
            labels={"result": "Figure 4: all models"},
        ),
    log:
        "logs/plot_figure4.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_figure4.py"),
        level=config["bootstrap"]["level"],
        singles=SINGLES,
    script:
        "../scripts/plot_figure4.py"


rule plot_triplet:
    """Draw Figures 7 and 8: accuracy over the triangle between three models."""
    input:
        scores="results/scores/shortcuts.csv",
    output:
        mean_pdf="results/figure7.pdf",
        mean_png=report(
            "results/figure7.png",
            caption="../report/figure7.rst",
            category="Shortcuts",
            labels={"result": "Figure 7: between three models"},
        ),
        pdf="results/figure8.pdf",
        png=report(
            "results/figure8.png",
            caption="../report/figure8.rst",
            category="Shortcuts",
            labels={"result": "Figure 8: the same by data set"},
        ),
    log:
        "logs/plot_triplet.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_triplet.py"),
        level=config["bootstrap"]["level"],
        models=config["shortcuts"]["sweeps"]["triplet"],
    script:
        "../scripts/plot_triplet.py"


rule plot_fisher_layers:
    """Draw the overlap of Fisher information layer by layer."""
    input:
        overlaps="results/scores/fisher.csv",
    output:
        pdf="results/fisher_layers.pdf",
        png=report(
            "results/fisher_layers.png",
            caption="../report/fisher_layers.rst",
            category="Shortcuts",
            labels={"result": "Fisher overlap by layer"},
        ),
    log:
        "logs/plot_fisher_layers.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_fisher_layers.py"),
        level=config["bootstrap"]["level"],
    script:
        "../scripts/plot_fisher_layers.py"


rule plot_memorization:
    """Draw Figure 9, 10, 11 or 12: memorization or perplexity by the number of models."""
    input:
        scores="results/scores/memorization.csv",
    output:
        pdf="results/figure{figure}.pdf",
        png=report(
            "results/figure{figure}.png",
            caption="../report/memorization_figures.rst",
            category="Memorization",
            labels={"result": "Figure {figure}: by number of models"},
        ),
    log:
        "logs/plot_memorization/{figure}.log",
    wildcard_constraints:
        figure=one_of(*MEMORIZATION_FIGURES),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_memorization.py"),
        level=config["bootstrap"]["level"],
        runs=plain_runs("memorization"),
        figure=memorization_figure,
    script:
        "../scripts/plot_memorization.py"


rule plot_extraction:
    """Draw the likelihood ratio of single, fused and full models against what they recite."""
    input:
        scores="results/scores/memorization.csv",
    output:
        pdf="results/figure_extraction.pdf",
        png=report(
            "results/figure_extraction.png",
            caption="../report/extraction.rst",
            category="Memorization",
            labels={"result": "Loss against recitation"},
        ),
    log:
        "logs/plot_extraction.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_extraction.py"),
        level=config["bootstrap"]["level"],
        runs=plain_runs("memorization"),
    script:
        "../scripts/plot_extraction.py"
