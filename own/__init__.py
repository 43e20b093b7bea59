"""Fusion methods of your own: what is here is watched, so that a change to it trains again."""
