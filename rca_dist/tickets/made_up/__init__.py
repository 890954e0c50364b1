"""The causal model behind the built-in tickets."""
