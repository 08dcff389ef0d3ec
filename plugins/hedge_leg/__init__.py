"""The spot leg of a hedged carry: freqtrade trades the perp, this package owns the spot."""
