"""Edits: each turns a request into rows for the batcher, and final latents into a picture."""
