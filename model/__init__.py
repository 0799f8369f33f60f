"""From text to decision: text steps, features, heads, the bundle, explanation, areas and routing. NumPy only."""
