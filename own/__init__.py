"""Fusion methods of your own: what lies here is watched, so that a change of it trains again."""
