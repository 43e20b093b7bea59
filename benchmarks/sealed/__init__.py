"""The tables of docs/sealed.md: the sealed mixture on planted interactions, on null data and on open tables."""
