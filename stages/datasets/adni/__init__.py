"""ADNI from its own files: diagnosis from MRI, SNPs, clinical and biospecimen tables."""
