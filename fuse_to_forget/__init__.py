"""Fuse fine-tuned language models and measure what the fused model kept and what it forgot."""
