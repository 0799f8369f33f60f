"""From labelled rows to a bundle, and how good it is. The only package that needs scikit-learn."""
