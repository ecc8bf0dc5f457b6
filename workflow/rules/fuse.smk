rule fuse:
    """Write one fused model as a Hugging Face checkpoint."""
    input:
        weights=recipe_weights,
        beside=beside(recipe_weights),
        facts=recipe_facts,
    output:
        **checkpoint_files("results/fused/{study}/{recipe}/seed{seed}"),
        card="results/fused/{study}/{recipe}/seed{seed}/README.md",
    log:
        "logs/fuse/{study}/{recipe}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        code=code_version("fuse.py"),
        models=recipe_models,
        coefficients=recipe_coefficients,
    script:
        "../scripts/fuse.py"
