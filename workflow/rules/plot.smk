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
            labels={"result": "Figure 5"},
        ),
    log:
        "logs/plot_figure5.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("plot_figure5.py"),
        attributes=ATTRIBUTES,
        select_on=PROTOCOL["select_coefficients_on"],
    script:
        "../scripts/plot_figure5.py"
