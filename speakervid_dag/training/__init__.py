"""Training of networks that the package ships; nothing here runs in the pipeline."""
