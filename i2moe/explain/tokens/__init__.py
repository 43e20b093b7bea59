"""Explanations of single tokens and pairs of tokens, as games that know no model: a value for each set of tokens."""
