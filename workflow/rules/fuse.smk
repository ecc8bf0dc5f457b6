rule fuse:
    """Write one fused model as a Hugging Face checkpoint."""
    input:
        weights=recipe_weights,
    output:
        weights="results/fused/{study}/{recipe}/seed{seed}/model.safetensors",
        config="results/fused/{study}/{recipe}/seed{seed}/config.json",
        card="results/fused/{study}/{recipe}/seed{seed}/README.md",
    log:
        "logs/fuse/{study}/{recipe}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        code=code_version("fuse.py"),
        models=recipe_models,
        coefficients=recipe_coefficients,
    script:
        "../scripts/fuse.py"
