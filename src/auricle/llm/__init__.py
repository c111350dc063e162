"""Language models behind an OpenAI-compatible server: their answers, and what these cost."""
