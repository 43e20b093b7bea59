"""SNPs from PLINK files."""
